import { randomUUID } from 'node:crypto';
import { faultOf, OBJECT, type Rule, WORD } from './check.ts';
import type { Draft } from './draft.ts';
import { PublishError } from './errors.ts';
import { BATCH_BYTES, BATCH_EVENTS } from './generated.ts';

/** An event as it will be sent: written once, when it was handed over, so that later changes to it do not count. */
export interface Prepared {
  readonly channel: string;
  readonly idempotencyKey: string;
  readonly text: string;
  /** Of the text in UTF-8. */
  readonly bytes: number;
}

/** Writes an event, with an idempotency key of its own where it has none; throws `invalid_event` for what is none. */
export function prepare(event: Draft): Prepared {
  checkArgument('the event', event, OBJECT);
  checkArgument("the event's `channel`", event.channel, WORD);
  checkArgument("the event's `type`", event.type, WORD);
  const idempotencyKey = event.idempotencyKey ?? randomUUID();
  const text = write({ ...event, data: event.data ?? null, idempotencyKey });
  return { channel: event.channel, idempotencyKey, text, bytes: Buffer.byteLength(text) };
}

/** Refuses what callers without types may hand over; throws `invalid_event`. */
export function checkArgument(name: string, value: unknown, rule: Rule): void {
  const fault = faultOf(name, value, rule);
  if (fault !== undefined) throw new PublishError('invalid_event', fault);
}

/** Writes JSON. */
export function write(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PublishError('invalid_event', `the event cannot be written as JSON: ${why}`, { cause });
  }
}

const EMPTY = '{"events":[]}'.length;

/**
 * How many events from `from` on go into one request: at most 100, at most 1 MiB, and none whose idempotency key
 * stands in it already for the same channel, which the server would refuse. At least one, whatever its size.
 */
export function partLength(events: readonly Prepared[], from = 0): number {
  const seen = new Set<string>();
  let [length, bytes] = [0, EMPTY];
  for (; length < BATCH_EVENTS && from + length < events.length; length += 1) {
    const event = events[from + length];
    if (event === undefined) break;
    const name = `${event.channel}\n${event.idempotencyKey}`;
    bytes += event.bytes + 1;
    // Counts a comma too many; what is lost by that is nothing.
    if (length > 0 && (bytes > BATCH_BYTES || seen.has(name))) break;
    seen.add(name);
  }
  return length;
}

/** The body of a request with these events. */
export function bodyOf(events: readonly Prepared[]): string {
  return `{"events":[${events.map((event) => event.text).join(',')}]}`;
}
