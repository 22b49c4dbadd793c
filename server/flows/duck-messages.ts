/** What passes between the gateway and DuckDB's process. Plain JSON. */

/** A view made before the statement runs; its rows or files are all that the statement can reach. */
export interface ViewSpec {
  name: string;
  /** Name and DuckDB type of each column: what the view has when there is nothing to show. */
  columns: [name: string, type: string][];
  /** Parquet files of the view; */
  files?: string[];
  /** or its rows. */
  rows?: (string | number | null)[][];
}

export interface DuckRequest {
  id: number;
  views: ViewSpec[];
  sql: string;
  parameters: (string | number | null)[];
  /** Rows at most; one more tells that there were more. */
  rows_max: number;
  /** Of the rows as JSON. */
  bytes_max: number;
  memory_bytes: number;
  timeout_ms: number;
  /** A stranger's statement: nothing but reading the views is allowed. */
  hostile: boolean;
}

export interface DuckResult {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
  milliseconds: number;
}

export type DuckAnswer =
  | ({ id: number } & DuckResult)
  /** `fault`: whose; 'file' when a view's file went away or is none. */
  | { id: number; failure: string; fault: 'statement' | 'limit' | 'file' | 'missing' };
