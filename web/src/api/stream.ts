// One EventSource: shared by the worker and by the fallback, so that both behave alike.

/** What a stream tells its tabs. */
export type Message =
  | { kind: 'event'; topic: 'fleet' | 'publish' | 'notice'; data: unknown }
  /** Events were missed: read everything again. */
  | { kind: 'reset' }
  | { kind: 'state'; open: boolean }

const topics = ['fleet', 'publish', 'notice'] as const
const retryAfter = 3_000

/** Opens the stream of events and keeps it open. EventSource comes back by itself after a cut, but not after a refusal. */
export function openStream(url: string, tell: (m: Message) => void): () => void {
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let opened = false
  let stopped = false

  const open = () => {
    source = new EventSource(url)
    source.onopen = () => {
      tell({ kind: 'state', open: true })
      // A stream that opens anew without Last-Event-ID has a gap before it.
      if (opened && fresh) tell({ kind: 'reset' })
      fresh = false
      opened = true
    }
    source.onerror = () => {
      if (source?.readyState !== EventSource.CLOSED) {
        // The server ends each stream after five minutes; only a second failure in a row is worth telling.
        clearTimeout(timer)
        timer = setTimeout(() => source?.readyState !== EventSource.OPEN && tell({ kind: 'state', open: false }), retryAfter)
        return
      }
      tell({ kind: 'state', open: false })
      fresh = true
      clearTimeout(timer)
      timer = setTimeout(() => !stopped && open(), retryAfter)
    }
    source.addEventListener('reset', () => tell({ kind: 'reset' }))
    for (const topic of topics) {
      source.addEventListener(topic, (e) => {
        try {
          tell({ kind: 'event', topic, data: JSON.parse((e as MessageEvent<string>).data) })
        } catch {
          tell({ kind: 'reset' })
        }
      })
    }
  }
  let fresh = false
  open()
  return () => {
    stopped = true
    clearTimeout(timer)
    source?.close()
  }
}
