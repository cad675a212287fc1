/** What `readhead check --json` writes. Free of the editor. */

export interface Check {
  readonly file: string;
  readonly head: string;
  readonly recorded: number | null;
  /** Null where it could not be measured. */
  readonly measured: number | null;
  readonly ok: boolean;
  readonly reason: string;
}

/** The checks of a report. Throws where the text is no report. */
export function readChecks(text: string): readonly Check[] {
  const report: unknown = JSON.parse(text);
  const checks = typeof report === "object" && report !== null ? (report as { checks?: unknown }).checks : undefined;
  if (!Array.isArray(checks)) {
    throw new Error("readhead check wrote no report");
  }
  return checks.map((check: Partial<Check>) => ({
    file: check.file ?? "",
    head: check.head ?? "",
    recorded: check.recorded ?? null,
    measured: check.measured ?? null,
    ok: check.ok === true,
    reason: check.reason ?? "",
  }));
}
