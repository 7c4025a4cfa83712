// The platform's timers, counted: what is left of them when a client is closed is a leak.

export class CountedTimers {
  /** How many are under way. */
  running = 0;

  readonly after = (milliseconds: number, run: () => void): (() => void) => {
    this.running += 1;
    let isOver = false;
    const end = () => {
      if (!isOver) this.running -= 1;
      isOver = true;
    };
    const timer = setTimeout(() => {
      end();
      run();
    }, milliseconds);
    return () => {
      end();
      clearTimeout(timer);
    };
  };
}
