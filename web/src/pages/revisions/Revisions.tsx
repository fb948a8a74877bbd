import { useEffect } from 'react'
import { nothingAtAll, useList, useRead } from '../../api/query'
import type { Change, Revision } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useNow } from '../../now'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { type Column, DataTable } from '../../ui/DataTable'
import { FilterBar } from '../../ui/FilterBar'
import { HistoryIcon } from '../../ui/icons'
import { Link, LinkButton } from '../../ui/Link'
import { Card, PageHeader } from '../../ui/Page'
import { EmptyState } from '../../ui/States'
import { oneOf, text, useUrl } from '../../url'
import css from './Revisions.module.css'
import { authorText, objectName, objectPath } from './words'

/** The first change of a revision with a link to its object, and how many more there are. */
function What({ changes }: { changes: Change[] }) {
  const i18n = useI18n()
  const { rich } = i18n
  const [c, ...more] = changes
  if (!c) return null
  const to = c.after ? objectPath(c.kind, c.id) : undefined
  const text = objectName(c, i18n)
  const name = to ? (
    <Link to={to} className={css.object} title={c.id}>
      {text}
    </Link>
  ) : (
    text
  )
  const first = c.before
    ? rich(c.after ? 'revisions.updated' : 'revisions.deleted', { name })
    : rich('revisions.created', { name })
  return more.length > 0 ? rich('revisions.andMore', { first, count: more.length }) : first
}

/** Every change that was made, newest first; with `kind` and `id` those of one object. */
export default function Revisions() {
  const i18n = useI18n()
  const { t, format } = i18n
  const { can } = useSession()
  const now = useNow(10_000)
  const [url, setUrl] = useUrl({ kind: oneOf('api', 'policy', 'certificate', 'secret', 'document'), id: text, q: text })
  const one = url.kind && url.id ? { kind: url.kind, id: url.id } : undefined
  const q = one ? '' : url.q.trim()
  const list = useList('GET /revisions', one ?? (q ? { q } : undefined), { live: true })
  const newest = useRead('GET /publishing').data?.revision ?? 0
  // A page of a search may have nothing while older ones do.
  const { items, more, loadingMore, error, stale, loadMore } = list
  const goOn = q !== '' && items.length === 0 && more && !loadingMore && !error && !stale
  useEffect(() => {
    if (goOn) loadMore()
  }, [goOn, loadMore])
  const called = one && list.items[0]?.changes.find((c) => c.kind === one.kind && c.id === one.id)?.name
  const clear = () => setUrl({ kind: undefined, id: '', q: '' })
  const columns: Column<Revision>[] = [
    {
      id: 'number',
      header: t('revisions.number'),
      width: '84px',
      cell: (r) => <span className={css.number}>{String(r.revision)}</span>,
    },
    { id: 'change', header: t('revisions.change'), width: 'minmax(140px, 2fr)', cell: (r) => <What changes={r.changes} /> },
    {
      id: 'author',
      header: t('revisions.author'),
      width: 'minmax(100px, 1.6fr)',
      from: 520,
      cell: (r) => <span title={authorText(r.author, i18n)}>{authorText(r.author, i18n)}</span>,
    },
    {
      id: 'note',
      header: t('revisions.note'),
      width: 'minmax(100px, 1.6fr)',
      from: 700,
      cell: (r) => <span title={r.note}>{r.note}</span>,
    },
    {
      id: 'when',
      header: t('revisions.when'),
      width: '112px',
      cell: (r) => (
        <time dateTime={r.at} title={format.precise(r.at)}>
          {format.ago(r.at, now)}
        </time>
      ),
    },
  ]
  return (
    <>
      <PageHeader
        title={t('titles.revisions')}
        sub={t('revisions.sub')}
        actions={newest > 1 && <LinkButton to={`/revisions/${newest - 1}..${newest}`}>{t('revisions.compareTwo')}</LinkButton>}
      />
      <Card flush>
        {!one && !nothingAtAll(list, q !== '') && (
          <FilterBar
            placeholder={t('revisions.search')}
            q={url.q}
            onSearch={(next) => setUrl({ q: next })}
            total={list.loading || list.error || !list.totalExact ? undefined : list.total}
          />
        )}
        {one && (
          <div className={css.only}>
            <span>{t(one.kind === 'api' ? 'revisions.onlyApi' : 'revisions.onlyPolicy', { name: called ?? one.id })}</span>
            <Button small onClick={clear}>
              {t('revisions.clearObject')}
            </Button>
          </div>
        )}
        <DataTable
          label={t('titles.revisions')}
          columns={columns}
          list={goOn || (q !== '' && items.length === 0 && loadingMore) ? { ...list, loading: true } : list}
          keyOf={(r) => String(r.revision)}
          hrefOf={(r) => `/revisions/${r.revision}`}
          filtered={Boolean(one) || q !== ''}
          onClear={clear}
          empty={
            <EmptyState
              icon={HistoryIcon}
              title={t('revisions.empty')}
              actions={
                can('apis:write') && (
                  <LinkButton to="/apis/new" look="primary">
                    {t('revisions.emptyAction')}
                  </LinkButton>
                )
              }
            >
              {t('revisions.emptyHelp')}
            </EmptyState>
          }
        />
      </Card>
    </>
  )
}
