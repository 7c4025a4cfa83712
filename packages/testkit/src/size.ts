// How much an entry brings to a page.

import { gzipSync } from 'node:zlib';
import { type InputOptions, rolldown } from 'rolldown';

/** The bytes of an entry: minified, with what it imports, without what it loads later; gzip. */
export async function sizeOf(input: string, options: Omit<InputOptions, 'input'>): Promise<number> {
  const build = await rolldown({ input, platform: 'browser', logLevel: 'silent', ...options });
  const { output } = await build.generate({ format: 'esm', minify: true });
  const chunks = new Map(output.flatMap((chunk) => (chunk.type === 'chunk' ? [[chunk.fileName, chunk] as const] : [])));
  const first = [...chunks.values()].find(({ isEntry }) => isEntry);
  const [names, seen] = [[first?.fileName ?? ''], new Set<string>()];
  let bytes = 0;
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const chunk = chunks.get(name);
    if (chunk === undefined || seen.has(name)) continue;
    seen.add(name);
    bytes += gzipSync(chunk.code, { level: 9 }).length;
    names.push(...chunk.imports);
  }
  await build.close();
  return bytes;
}
