/** Asking the editor to ask again, without putting off what it is about to do. Free of the editor. */

/** A question that has not come by then (the editor lost its focus) is not waited for. */
const ASKED_WITHIN_MS = 1000;
/** An answer is drawn 250 ms after it came, or after the next one that comes before that: the next is later than this. */
const APART_MS = 100;

/**
 * VS Code asks for code lenses 250 ms after it was last told that they changed, or after an edit, and draws 250 ms
 * after the last answer. It is told of a save, of the score, of what each term earns and of the perplexity, all within
 * that time: every one of them would put the question off, or the drawing. So it is told once until it has asked, which
 * hears all that is known by that time, and once more when that is about to be drawn.
 */
export class Pacing {
  private waits: NodeJS.Timeout | undefined;
  private untold = false;
  /** Whether the next question is one of all editors that show a program; after an edit it is one of them only. */
  private isOfAll = false;
  private readonly fire: () => void;

  constructor(fire: () => void) {
    this.fire = fire;
  }

  /** Something changed. */
  changed(): void {
    if (this.waits === undefined) {
      this.isOfAll = true;
      this.fire();
      this.wait(ASKED_WITHIN_MS);
    } else {
      this.untold = true;
    }
  }

  /** A text was edited: its editor asks without being told. */
  edited(): void {
    this.wait(ASKED_WITHIN_MS);
  }

  /** The editor asks: what it hears is what is known now. */
  asked(): void {
    this.untold &&= !this.isOfAll;
    this.isOfAll = false;
  }

  answered(): void {
    this.wait(APART_MS);
  }

  private wait(forMs: number): void {
    clearTimeout(this.waits);
    this.waits = setTimeout(() => {
      this.waits = undefined;
      if (this.untold) {
        this.untold = false;
        this.changed();
      }
    }, forMs);
  }

  dispose(): void {
    clearTimeout(this.waits);
  }
}
