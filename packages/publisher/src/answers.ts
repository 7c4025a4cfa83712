import type { Cast, Receipt } from './generated.ts';
import { unexpected } from './request.ts';

/** The receipts of an answer, one for each of the events that were sent; throws `unexpected_answer` for any other. */
export function receiptsOf(answer: unknown, length: number): readonly Receipt[] {
  const events = typeof answer === 'object' && answer !== null && 'events' in answer ? answer.events : undefined;
  if (!Array.isArray(events) || events.length !== length || !events.every(isReceipt)) {
    throw unexpected('the answer has not a receipt for each event; does Tidings listen there?');
  }
  return events;
}

function isReceipt(value: unknown): value is Receipt {
  if (typeof value !== 'object' || value === null) return false;
  return 'id' in value && typeof value.id === 'string' && 'duplicate' in value && typeof value.duplicate === 'boolean';
}

/** The cast of an answer; throws `unexpected_answer` for what is none. */
export function castOf(answer: unknown): Cast {
  const isCast = typeof answer === 'object' && answer !== null && 'id' in answer && 'status' in answer;
  if (!isCast) throw unexpected('the answer is no cast; does Tidings listen there?');
  return answer as Cast;
}
