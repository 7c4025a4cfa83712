// The code of the page that runs snippets: all of them, as written and as twins; its address says which is shown.

import { SNIPPETS, type Snippet } from '../table.ts';
import { bundle } from './bundle.ts';

/** What a snippet is called in the page's address, without its variant. */
export function nameOf({ file }: Pick<Snippet, 'file'>): string {
  return file.replace(/\.\w+$/, '');
}

export async function pageCode(): Promise<string> {
  const shown = SNIPPETS.filter(({ frame }) => frame.kind === 'component' || frame.kind === 'body');
  const imports = shown.flatMap(({ file }, at) => [
    `import { Snippet as loose${at} } from './loose/${file}';`,
    `import * as strict${at} from './strict/${file}';`,
  ]);
  const components = shown.flatMap((snippet, at) => [
    `'loose/${nameOf(snippet)}': loose${at},`,
    `'strict/${nameOf(snippet)}': Object.values(strict${at})[0],`,
  ]);
  const entry = `
    import './page/prelude.ts';
    import './loose/unit-testing.ts';
    import './strict/unit-testing.ts';
    import { followCast } from './strict/event-source.ts';
    import { mount } from './page/mount.tsx';
    import { given, told } from './page/told.ts';
    ${imports.join('\n')}
    told.functions.follow = () => void followCast(given.castId);
    mount({ ${components.join('\n')} });
  `;
  return bundle(entry, 'browser');
}
