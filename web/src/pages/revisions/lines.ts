/** A line of a comparison; `gap` stands for lines that are the same on both sides. */
export type Line =
  | { kind: 'same' | 'added' | 'removed'; text: string; before?: number; after?: number }
  | { kind: 'gap'; count: number }

/** Steps that the search for the shortest way may take; beyond, the rest is shown as replaced. */
const patience = 2_000_000

/**
 * The shortest way from one text to another, by lines: the longest common subsequence of what remains when equal beginnings
 * and ends are taken off. `exact` is false where the texts are too long and too different for that.
 */
export function diffLines(before: string[], after: string[]): { lines: Exclude<Line, { kind: 'gap' }>[]; exact: boolean } {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  const rest = Math.min(before.length, after.length) - head
  while (tail < rest && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  const a = before.slice(head, before.length - tail)
  const b = after.slice(head, after.length - tail)
  const lines: Exclude<Line, { kind: 'gap' }>[] = []
  const both = (i: number, j: number) => lines.push({ kind: 'same', text: before[i] as string, before: i + 1, after: j + 1 })
  const gone = (i: number) => lines.push({ kind: 'removed', text: before[i] as string, before: i + 1 })
  const come = (j: number) => lines.push({ kind: 'added', text: after[j] as string, after: j + 1 })

  for (let i = 0; i < head; i++) both(i, i)
  const exact = a.length * b.length <= patience
  if (exact) {
    // most[i][j]: common lines of a from i on and b from j on.
    const width = b.length + 1
    const most = new Uint32Array((a.length + 1) * width)
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        most[i * width + j] =
          a[i] === b[j]
            ? (most[(i + 1) * width + j + 1] as number) + 1
            : Math.max(most[(i + 1) * width + j] as number, most[i * width + j + 1] as number)
      }
    }
    let i = 0
    let j = 0
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) both(head + i++, head + j++)
      else if (j === b.length || (i < a.length && (most[(i + 1) * width + j] as number) >= (most[i * width + j + 1] as number)))
        gone(head + i++)
      else come(head + j++)
    }
  } else {
    for (let i = 0; i < a.length; i++) gone(head + i)
    for (let j = 0; j < b.length; j++) come(head + j)
  }
  for (let k = tail; k > 0; k--) both(before.length - k, after.length - k)
  return { lines, exact }
}

/** Puts a gap in the place of what is the same, but for `around` lines at each change. */
export function fold(lines: Exclude<Line, { kind: 'gap' }>[], around = 3): Line[] {
  const near = new Uint8Array(lines.length)
  lines.forEach((l, i) => {
    if (l.kind !== 'same') near.fill(1, Math.max(0, i - around), i + around + 1)
  })
  const out: Line[] = []
  let count = 0
  lines.forEach((l, i) => {
    if (near[i]) {
      if (count > 0) out.push({ kind: 'gap', count })
      count = 0
      out.push(l)
    } else count++
  })
  if (count > 0) out.push({ kind: 'gap', count })
  return out
}

/** The lines of a document as people read it; null is none. */
export function linesOf(document: unknown): string[] {
  return document === null ? [] : JSON.stringify(document, null, 2).split('\n')
}
