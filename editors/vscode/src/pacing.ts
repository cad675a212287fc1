/** Asking the editor to ask again, without putting off what it is about to do. Free of the editor. */

const GIVES_UP_MS = 1000;

/**
 * VS Code asks for code lenses 250 ms after it was last told that they changed, and is told of a score, of what each
 * term earns and of the perplexity within that time: every one of them would put the question off. So it is told once
 * until it has asked: it then hears all that is known by that time. That begins with the save, for which the score is
 * ready well within that time.
 */
export class Pacing {
  private since: number | undefined;
  private readonly fire: () => void;
  private readonly now: () => number;

  constructor(fire: () => void, now: () => number = () => performance.now()) {
    this.fire = fire;
    this.now = now;
  }

  /** Something changed. A question that never came (the editor lost its focus) is not waited for. */
  changed(): void {
    if (this.since !== undefined && this.now() - this.since < GIVES_UP_MS) {
      return;
    }
    this.since = this.now();
    this.fire();
  }

  /** The editor asks: what it hears now is what is known now. */
  asked(): void {
    this.since = undefined;
  }
}
