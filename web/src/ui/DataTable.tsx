import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { List } from '../api/query'
import { useI18n } from '../i18n'
import { usePrefs } from '../prefs'
import { Button } from './Button'
import { cx } from './cx'
import css from './DataTable.module.css'
import { ArrowDownIcon, ArrowUpIcon } from './icons'
import { Link } from './Link'
import { EmptyState, ErrorNotice, ErrorState, Skeleton } from './States'
import { useShortcuts } from './shortcuts'

export interface Column<T> {
  id: string
  header: string
  /** What stands in the cell. The first column's is the row's link, so it holds no control of its own. */
  cell: (row: T) => ReactNode
  /** A grid track, such as `120px` or `minmax(160px, 2fr)`; default `minmax(80px, 1fr)`. */
  width?: string
  align?: 'end'
  /** Stands off from the column before it, which ends at its right edge. */
  apart?: boolean
  /** Values of the list's `sort` for this column. */
  sort?: { up?: string; down?: string }
  /** Left out while the table is narrower than so many pixels. */
  from?: number
  /** Its content takes clicks of its own. */
  controls?: boolean
}

export interface DataTableProps<T> {
  label: string
  columns: Column<T>[]
  list: List<T>
  keyOf: (row: T) => string
  /** Where a row leads. */
  hrefOf?: (row: T) => string
  /** What opens lies over the list, which stays scrolled as it is. */
  over?: boolean
  /** What opening a row does where it leads nowhere. */
  onOpen?: (row: T) => void
  sort?: string
  onSort?: (sort: string) => void
  /** Shown while there is nothing at all. */
  empty: ReactNode
  /** Something narrows the list; `onClear` takes that away. */
  filtered?: boolean
  onClear?: () => void
}

/** Rows above and below the window that are kept ready. */
const overscan = 12

/**
 * A list of which the server has the rest: only the rows in sight are in the page, the next page is fetched near the end.
 * j, k and the arrow keys move from row to row, Enter opens; a row is one link, so that the browser's own ways work on it.
 */
export function DataTable<T>(p: DataTableProps<T>) {
  const { t } = useI18n()
  const { list } = p
  const frame = useRef<HTMLDivElement>(null)
  const width = useWidth(frame)
  const columns = p.columns.filter((c) => !c.from || width === 0 || width >= c.from)
  const template = columns.map((c) => c.width ?? 'minmax(80px, 1fr)').join(' ')
  const empty = list.items.length === 0

  return (
    <div ref={frame}>
      {Boolean(list.error) && !empty && (
        <div className={css.notice}>
          <ErrorNotice error={list.error} />
        </div>
      )}
      {empty && list.error ? (
        <ErrorState error={list.error} onRetry={list.retry} />
      ) : empty && !list.loading ? (
        // Until a question that was cleared is answered, the list only looks as if there were nothing.
        p.filtered || list.stale ? (
          <EmptyState title={t('ui.emptySearch')} actions={p.onClear && <Button onClick={p.onClear}>{t('ui.clear')}</Button>}>
            {t('ui.emptySearchHelp')}
          </EmptyState>
        ) : (
          p.empty
        )
      ) : (
        // biome-ignore lint/a11y/useSemanticElements: a table element cannot place its rows, of which most are absent
        <div
          role="table"
          aria-label={p.label}
          aria-rowcount={list.totalExact ? list.total + 1 : -1}
          aria-busy={list.loading}
          className={css.table}
        >
          <Head columns={columns} template={template} sort={p.sort} onSort={p.onSort} />
          {list.loading ? (
            <Waiting columns={columns} template={template} />
          ) : (
            <Rows {...p} columns={columns} template={template} />
          )}
        </div>
      )}
    </div>
  )
}

function useWidth(frame: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const box = frame.current
    if (!box) return
    setWidth(box.clientWidth)
    const seen = new ResizeObserver(() => setWidth(box.clientWidth))
    seen.observe(box)
    return () => seen.disconnect()
  }, [frame])
  return width
}

function Head<T>({
  columns,
  template,
  sort,
  onSort,
}: Pick<DataTableProps<T>, 'columns' | 'sort' | 'onSort'> & { template: string }) {
  const { t } = useI18n()
  return (
    // biome-ignore lint/a11y/useSemanticElements: see the table
    // biome-ignore lint/a11y/useFocusableInteractive: a row of headers takes no focus
    <div role="row" aria-rowindex={1} className={cx(css.row, css.head)} style={{ gridTemplateColumns: template }}>
      {columns.map((c) => {
        const up = c.sort?.up !== undefined && sort === c.sort.up
        const down = c.sort?.down !== undefined && sort === c.sort.down
        const next = up ? (c.sort?.down ?? c.sort?.up) : (c.sort?.up ?? c.sort?.down)
        return (
          // biome-ignore lint/a11y/useSemanticElements: see the table
          // biome-ignore lint/a11y/useFocusableInteractive: its button takes the focus
          <div
            key={c.id}
            role="columnheader"
            aria-sort={up ? 'ascending' : down ? 'descending' : undefined}
            className={cx(css.cell, c.align && css.end, c.apart && css.apart)}
          >
            {c.sort && onSort ? (
              <button
                type="button"
                className={css.sort}
                aria-label={t(up ? 'ui.sortAscending' : down ? 'ui.sortDescending' : 'ui.sortBy', { name: c.header })}
                onClick={() => next !== undefined && onSort(next)}
              >
                {c.header}
                {up && <ArrowUpIcon size={13} aria-hidden />}
                {down && <ArrowDownIcon size={13} aria-hidden />}
              </button>
            ) : (
              c.header
            )}
          </div>
        )
      })}
    </div>
  )
}

function Waiting<T>({ columns, template }: Pick<DataTableProps<T>, 'columns'> & { template: string }) {
  const rows = [0, 1, 2, 3, 4, 5, 6, 7]
  return (
    <div aria-hidden className={css.body}>
      {rows.map((r) => (
        <div key={r} className={css.row} style={{ gridTemplateColumns: template, height: 'calc(var(--row) + 1px)' }}>
          {columns.map((c, i) => (
            <Skeleton key={c.id} width={`${(i === 0 ? 55 : 40) + ((r * 13 + i * 7) % 30)}%`} height={12} />
          ))}
        </div>
      ))}
    </div>
  )
}

function Rows<T>({ columns, template, list, keyOf, hrefOf, over, onOpen }: DataTableProps<T> & { template: string }) {
  const { t } = useI18n()
  const height = (usePrefs().density === 'compact' ? 30 : 38) + 1
  const body = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(0)
  const wanted = useRef(-1)
  const [margin, setMargin] = useState(0)

  useLayoutEffect(() => {
    if (body.current) setMargin(Math.round(body.current.getBoundingClientRect().top + window.scrollY))
  })
  const rows = useWindowVirtualizer({
    count: list.items.length,
    estimateSize: () => height,
    overscan,
    scrollMargin: margin,
    scrollPaddingStart: 100,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: the virtualiser is one object whose sizes follow the height
  useEffect(() => rows.measure(), [height])

  const items = rows.getVirtualItems()
  const lastSeen = items.at(-1)?.index ?? 0
  const { more, loadingMore, loadMore } = list
  const count = list.items.length
  useEffect(() => {
    if (more && !loadingMore && lastSeen >= count - overscan) loadMore()
  }, [more, loadingMore, loadMore, lastSeen, count])

  // The row to go to may not be in the page yet; it takes the focus as soon as it is.
  useEffect(() => {
    if (wanted.current < 0) return
    const target = body.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"] [data-open]`)
    if (!target) return
    wanted.current = -1
    target.focus({ preventScroll: true })
  })
  const go = (to: number) => {
    const index = Math.min(count - 1, Math.max(0, to))
    wanted.current = index
    setActive(index)
    rows.scrollToIndex(index)
    body.current?.querySelector<HTMLElement>(`[data-row="${index}"] [data-open]`)?.focus({ preventScroll: true })
  }
  const inside = () => body.current?.contains(document.activeElement) ?? false
  useShortcuts({ j: () => go(inside() ? active + 1 : active), k: () => go(inside() ? active - 1 : active) })
  const onKeyDown = (e: KeyboardEvent) => {
    const to = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      Home: 0,
      End: count - 1,
      PageDown: active + 10,
      PageUp: active - 10,
    }[e.key]
    if (to === undefined || e.altKey || e.ctrlKey || e.metaKey || e.shiftKey) return
    e.preventDefault()
    go(to)
  }

  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: see the table */}
      <div
        role="rowgroup"
        ref={body}
        className={cx(css.body, list.stale && css.stale)}
        style={{ height: rows.getTotalSize() }}
        onKeyDown={onKeyDown}
      >
        {items.map((v) => {
          const row = list.items[v.index] as T
          const open = {
            'data-open': '',
            className: css.open,
            tabIndex: v.index === Math.min(active, count - 1) ? 0 : -1,
            onFocus: () => setActive(v.index),
          }
          return (
            // biome-ignore lint/a11y/useSemanticElements: see the table
            // biome-ignore lint/a11y/useFocusableInteractive: its link takes the focus
            <div
              key={keyOf(row)}
              role="row"
              aria-rowindex={v.index + 2}
              data-row={v.index}
              className={cx(css.row, css.item)}
              style={{ gridTemplateColumns: template, transform: `translateY(${v.start - margin}px)` }}
            >
              {columns.map((c, i) => (
                // biome-ignore lint/a11y/useSemanticElements: see the table
                <div
                  key={c.id}
                  role="cell"
                  className={cx(css.cell, c.align && css.end, c.apart && css.apart, c.controls && css.above)}
                >
                  {i > 0 || (!hrefOf && !onOpen) ? (
                    c.cell(row)
                  ) : hrefOf ? (
                    <Link to={hrefOf(row)} look="bare" resetScroll={!over} {...open}>
                      {c.cell(row)}
                    </Link>
                  ) : (
                    <button type="button" {...open} onClick={() => onOpen?.(row)}>
                      {c.cell(row)}
                    </button>
                  )}
                </div>
              ))}
            </div>
          )
        })}
      </div>
      {loadingMore && (
        <div className={css.more} role="status">
          {t('ui.loadingMore')}
        </div>
      )}
    </>
  )
}
