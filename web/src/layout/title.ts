import { useEffect, useSyncExternalStore } from 'react'

let shown = ''
const listeners = new Set<() => void>()

function set(title: string): void {
  shown = title
  for (const tell of listeners) tell()
}

/** Names the object that a page shows, in the document's title and at the end of the breadcrumb. */
export function useTitle(title: string): void {
  useEffect(() => {
    set(title)
    return () => set('')
  }, [title])
}

/** What useTitle said last. */
export function useShownTitle(): string {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    () => shown,
  )
}
