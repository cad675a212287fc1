/** What editing a program did to its IoU since it was last saved. Free of the editor. */

/** IoU by head. */
export type Scores = ReadonlyMap<string, number>;

export class Progress {
  private before: Scores | undefined;
  private now: Scores | undefined;
  private isSaved = true;

  /** The text is another one. What was known before the first edit is what the next scores are compared with. */
  edited(): void {
    if (this.isSaved) {
      this.before = this.now;
    }
    this.isSaved = false;
    this.now = undefined;
  }

  /** The text is that on disk. */
  saved(): void {
    this.isSaved = true;
  }

  scored(scores: Scores): void {
    this.now = scores;
  }

  /** `IoU 0.711 → 0.736`, and whether that is better; undefined where there is nothing to compare. */
  told(): { readonly text: string; readonly gain: number } | undefined {
    const { before, now } = this;
    if (before === undefined || now === undefined) {
      return undefined;
    }
    const both = [...now].flatMap(([head, iou]) => {
      const was = before.get(head);
      return was === undefined ? [] : [{ head, was, iou }];
    });
    if (both.length === 0) {
      return undefined;
    }
    const texts = both.map(({ head, was, iou }) => `${now.size === 1 ? "IoU" : head} ${step(was, iou)}`);
    return { text: texts.join(", "), gain: both.reduce((sum, { was, iou }) => sum + iou - was, 0) / both.length };
  }
}

function step(was: number, iou: number): string {
  const [from, to] = [was.toFixed(3), iou.toFixed(3)];
  return from === to ? `${to}, as before` : `${from} → ${to}`;
}
