import type { List } from '../api/query'

/** A row of the sample table. */
export interface Sample {
  id: string
  name: string
  path: string
  upstream: string
  state: string
  rps: number
}

const names = ['orders', 'payments', 'catalog', 'shipping', 'users', 'sessions', 'billing', 'search']
const states = ['active', 'disabled', 'active', 'behind', 'active', 'rejected', 'active', 'catching-up']

/** Rows that are the same on every run, so that pictures can be compared. */
export function samples(count: number): Sample[] {
  return Array.from({ length: count }, (_, i) => {
    const name = `${names[i % names.length]}-v${1 + (i % 4)}`
    return {
      id: `${name}-${i}`,
      name: i === 3 ? `${name}-${'long-'.repeat(24)}name` : name,
      path: `/${name}/`,
      upstream: `https://${name}.svc.internal:8443`,
      state: states[i % states.length] ?? 'active',
      rps: Math.round((400 - i * 3.7) * 10) / 10,
    }
  })
}

/** A list in one of its states. */
export function listOf<T>(items: T[], change: Partial<List<T>> = {}): List<T> {
  return {
    items,
    total: items.length,
    totalExact: true,
    loading: false,
    stale: false,
    more: false,
    loadingMore: false,
    error: null,
    loadMore: () => undefined,
    retry: () => undefined,
    ...change,
  }
}
