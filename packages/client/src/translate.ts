// From frames of the wire to inputs of the machine.

import type { Failure } from './failure.ts';
import type { Happening } from './machine/step.ts';
import type { Incoming } from './transports/transport.ts';
import type { Controls, End, EndReason, Event } from './wire/generated.ts';

/** Why streams end, for people, where the word itself does not say it. */
const SAID: { readonly [reason in EndReason]?: string } = {
  terminal_state: 'what it told of is over',
  expired: "the credential's time is over",
  revoked: 'the credential was revoked',
};

type Control = { [Name in keyof Controls]: { readonly event: Name; readonly data: Controls[Name] } }[keyof Controls];

/** What the server says with the end of a stream. */
function failureOf({ reason, retry, after }: End): Failure {
  const kind = retry === 'now' || retry === 'auth' ? retry : retry === 'never' ? 'gone' : 'busy';
  const why = SAID[reason] ?? reason.replaceAll('_', ' ');
  return { kind, code: reason, detail: `the server ended the stream: ${why}`, after };
}

/** What a frame means; `null` where it means nothing to this client. */
export function translate({ id, event, data, size = 0 }: Incoming): Happening | null {
  const at = id === undefined ? {} : { id };
  if (event === undefined) return { type: 'sign', ...at };
  if (!event.startsWith('$')) return { type: 'event', event: data as Event, size, ...at };
  const control = { event, data } as Control;
  switch (control.event) {
    case '$ready':
      // It always says where the stream begins.
      return id === undefined ? null : { type: 'ready', ...control.data, id };
    case '$reset':
      return { type: 'reset', reset: control.data, ...at };
    case '$subscribed':
      return { type: 'subscribed', channels: control.data.channels };
    case '$joined':
      return { type: 'joined', channels: control.data.channels, ...at };
    case '$ping':
      return { type: 'ping', ...at };
    case '$expiring':
      return { type: 'expiring', left: Date.parse(control.data.at) - Date.now() || 0 };
    case '$end':
      return { type: 'end', failure: failureOf(control.data), ...at };
    default:
      return { type: 'sign', ...at };
  }
}
