// Payloads made to break the framing of an event stream.
//
// A payload knows the JSON text that is sent and the text that a subscriber is to get: the same, without the white space
// outside of strings.

/** What line-oriented parsers stumble over, and what could pass for a field or block of its own. */
const PIECES = [
  '\r', '\n', '\r\n', '\n\n', '\r\r', '\r\n\r\n', '\0', '\u{feff}', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}', '\t',
  ' ', ':', '::', ': ', 'data:', 'data: x', '\ndata: forged\n\n', '\r\revent: $end\r\r', 'id: 0000000000001.0000000',
  '\nid\n', '\nid:\n\n', 'retry: 1', '\n:comment\n', '\nevent: $reset\ndata: {}\n\n', '\0\n\n', '"', '\\', '\\n', '\\u000a',
  '\u{1f600}', 'é', 'x', '0\r\n\r\n', '1a\r\n', '</script>', '\u{7f}', '\u{202e}', '\u{fffd}',
];

/** Hidden in structure: what stands between tokens. */
const SPACES = ['', '', '', ' ', '\n', '\r', '\r\n', '\t', '\n\n', '\r\n\r\n', ' \r ', '\n \n'];

function text(random) {
  let made = '';
  for (let left = random.below(6); left > 0; left -= 1) made += random.pick(PIECES);
  return made;
}

/** A JSON string as the publisher writes it: some characters as they are, some escaped. */
function string(random) {
  const written = JSON.stringify(text(random));
  const raw = random.chance(0.5) ? written : written.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  // Half of a surrogate pair is legal JSON text, and nobody's Unicode.
  return random.chance(0.02) ? raw.slice(0, -1) + '\\ud800"' : raw;
}

function tokens(random, depth) {
  const kind = random.below(depth > 0 ? 9 : 6);
  switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
      return [string(random)];
    case 4:
      return [random.pick(['0', '-0', '1e5', '1.50', '12345678901234567890', '1E-2'])];
    case 5:
      return [random.pick(['null', 'true', 'false', '""', '[]', '{}'])];
    case 6:
    case 7: {
      const items = Array.from({ length: 1 + random.below(3) }, () => tokens(random, depth - 1));
      return ['[', ...items.flatMap((item, index) => (index > 0 ? [',', ...item] : item)), ']'];
    }
    default: {
      const members = Array.from({ length: 1 + random.below(3) }, () => [string(random), ':', ...tokens(random, depth - 1)]);
      return ['{', ...members.flatMap((member, index) => (index > 0 ? [',', ...member] : member)), '}'];
    }
  }
}

/** A payload: `sent` with white space between its tokens, `expected` without. */
export function payload(random) {
  const made = tokens(random, 2);
  const sent = made.map((token) => random.pick(SPACES) + token).join('') + random.pick(SPACES);
  return { sent, expected: made.join('') };
}

const WORDS = ['a', 'mut-1', 'ü', '"', '\\', ':', 'data: x', '\u{2028}', '\u{feff}', '</script>', '$end', 'id: 1', ' ', '\u{1f600}'];

/** An event's further members, hostile as far as they are accepted. */
function members(random) {
  const chosen = {};
  if (random.chance(0.2)) chosen.mutationId = random.pick(WORDS);
  if (random.chance(0.2)) chosen.actor = random.pick(WORDS);
  if (random.chance(0.1)) chosen.version = random.below(1_000);
  return chosen;
}

export const TYPES = ['t', 'data', 'id', 'event', 'retry', 'message', 'a:b', ':', '.', '_', '-', 'reset', 'end', 'ready'];

/** An event: `sent` is its JSON text; `expected(id, time)` the JSON that a subscriber is to get. */
export function event(random, channel) {
  const { sent, expected } = payload(random);
  const type = random.pick(TYPES);
  const more = members(random);
  const rest = (value) => JSON.stringify(value).slice(1, -1);
  const given = ['actor', 'mutationId', 'version'].filter((name) => name in more).map((name) => rest({ [name]: more[name] }));
  const tail = given.map((member) => `,${member}`).join('');
  return {
    type,
    sent: `{${rest({ channel, type, ...more })},"data":${sent}}`,
    expected: (id, time) => `{${rest({ id, channel, type, time })},"data":${expected}${tail}}`,
  };
}
