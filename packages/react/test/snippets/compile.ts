// Compiles a folder of snippets as its `tsconfig.json` says.

import ts from 'typescript';

/** What the compiler finds wrong in the folder: `file:line: message`. Some files may have another text than on disk. */
export function compile(folder: string, texts: ReadonlyMap<string, string> = new Map()): string[] {
  const read = ts.readConfigFile(`${folder}/tsconfig.json`, ts.sys.readFile);
  const { options, fileNames, errors } = ts.parseJsonConfigFileContent(read.config, ts.sys, folder);
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, settings, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile(path, settings, ...rest)
      : ts.createSourceFile(path, text, settings, true);
  };
  const program = ts.createProgram(fileNames, options, host);
  // The packages' sources are compiled as theirs; here they count for their types alone.
  const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(`${folder}/`));
  const found = [
    ...(read.error ? [read.error] : []),
    ...errors,
    ...program.getOptionsDiagnostics(),
    ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
  ];
  return found.map(({ file, start = 0, messageText }) => {
    const where =
      file && `${file.fileName.slice(folder.length + 1)}:${file.getLineAndCharacterOfPosition(start).line + 1}`;
    return `${where ?? 'tsconfig.json'}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

/** What the parser says to a text by itself, e.g. to one with dots for what is left out. */
export function parseErrors(path: string, text: string): string[] {
  const { diagnostics } = ts.transpileModule(text, {
    fileName: path,
    reportDiagnostics: true,
    compilerOptions: { jsx: ts.JsxEmit.ReactJSX },
  });
  return (diagnostics ?? []).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
