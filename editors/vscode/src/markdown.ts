/** Words that others wrote, for a hover. Free of the editor. */

/**
 * As they stand there: as Markdown an image in them would be fetched from wherever it lies. `MarkdownString.appendText`
 * would still make links of addresses, and break no line at a space.
 */
export function asWritten(words: string): string {
  return words.replace(/[!-/:-@[-`{-~]/g, "\\$&").replace(/\s+/g, " ");
}
