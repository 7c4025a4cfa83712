// What arrives is handed out once a frame, in the order in which it came: first everything to the handlers, then one
// notification of React for all that has changed.

/** What waits at most; with that many it is handed out at once. */
const MOST = 1000;
/** Pages that nobody sees have no frames. */
const LONGEST = 100;
/** Where there are no frames at all. */
const FRAME = 16;

/** Something that React is told of when it has changed. */
export interface Changing {
  notifiers(): Iterable<() => void>;
}

/** Reports what a handler throws as the platform does with what nobody catches. */
function report(error: unknown): void {
  (globalThis.reportError ?? console.error)(error);
}

/** Calls a handler of the app; whatever it throws, the others are called too. */
export function call<Args extends readonly unknown[]>(
  handler: ((...args: Args) => unknown) | undefined,
  ...args: Args
) {
  try {
    handler?.(...args);
  } catch (error) {
    report(error);
  }
}

function nextFrame(run: () => void): () => void {
  const hasFrames = typeof requestAnimationFrame === 'function';
  const frame = hasFrames ? requestAnimationFrame(run) : 0;
  const timer = setTimeout(run, hasFrames ? LONGEST : FRAME);
  return () => {
    clearTimeout(timer);
    // A page that is being put away may have lost it.
    globalThis.cancelAnimationFrame?.(frame);
  };
}

/** The queue of one client. */
export class Frames {
  #first: (() => void)[] = [];
  #tasks: (() => void)[] = [];
  readonly #changed = new Set<Changing>();
  #cancel: (() => void) | undefined;
  #isBusy = false;

  /** Does this with the next frame, after everything that was put before. */
  put(task: () => void): void {
    this.#tasks.push(task);
    this.#plan();
  }

  /** Does this with the next frame, before everything that waits: it belongs to the state as of the last frame. */
  putFirst(task: () => void): void {
    this.#first.push(task);
    this.#plan();
  }

  get #isFull(): boolean {
    return this.#first.length + this.#tasks.length >= MOST;
  }

  #plan(): void {
    if (this.#isFull) this.#handOut();
    else this.#cancel ??= nextFrame(() => this.#handOut());
  }

  /** Has React told of this at the end of the frame; for tasks to call. */
  changed(what: Changing): void {
    this.#changed.add(what);
  }

  #handOut(): void {
    // What handlers bring about waits for its turn, or it would overtake what came before.
    if (this.#isBusy) return;
    this.#isBusy = true;
    do {
      this.#cancel?.();
      this.#cancel = undefined;
      const tasks = [...this.#first, ...this.#tasks];
      [this.#first, this.#tasks] = [[], []];
      for (const task of tasks) call(task);
      const notifiers = new Set([...this.#changed].flatMap((one) => [...one.notifiers()]));
      this.#changed.clear();
      for (const notify of notifiers) call(notify);
    } while (this.#isFull);
    this.#isBusy = false;
  }
}
