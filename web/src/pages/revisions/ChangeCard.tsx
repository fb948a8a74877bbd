import { useMemo } from 'react'
import { useRead } from '../../api/query'
import type { Change, ChangedTexts } from '../../api/schema'
import { useI18n } from '../../i18n'
import { cx } from '../../ui/cx'
import { Link } from '../../ui/Link'
import { Card, Row } from '../../ui/Page'
import { ErrorState, Skeleton } from '../../ui/States'
import { Tabs } from '../../ui/Tabs'
import { oneOf, useUrl } from '../../url'
import { brief, compare } from './fields'
import { diffLines, fold, linesOf } from './lines'
import css from './Revisions.module.css'
import { changeText, historyPath, objectPath } from './words'

/** Fields that the list shows; the lines have the rest. */
const mostFields = 100

/** What a revision did to one object: field by field, or line by line. */
export function ChangeCard({ n, change }: { n: number; change: Change }) {
  const i18n = useI18n()
  const { t } = i18n
  const [url, setUrl] = useUrl({ view: oneOf('diff') })
  const { kind, id } = change
  const { data, error, refetch } = useRead(
    'GET /revisions/{n}/changes/{kind}/{id}',
    { path: { n, kind, id } },
    { staleTime: Number.POSITIVE_INFINITY },
  )
  const to = change.after ? objectPath(kind, id) : undefined
  const name = changeText(change, i18n)
  return (
    <Card
      flush
      title={name}
      aside={
        <Row>
          {to && <Link to={to}>{t('revisions.open')}</Link>}
          <Link to={historyPath(kind, id)}>{t('revisions.historyOf')}</Link>
        </Row>
      }
    >
      {data ? (
        <Tabs
          label={name}
          current={url.view ?? 'fields'}
          onChange={(view) => setUrl({ view: view === 'diff' ? 'diff' : undefined })}
          tabs={[
            { id: 'fields', label: t('revisions.fields') },
            { id: 'diff', label: t('revisions.diff') },
          ]}
        >
          {url.view === 'diff' ? <Lines texts={data} name={name} /> : <Fields texts={data} />}
        </Tabs>
      ) : (
        <div className={css.pad}>
          {error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <Skeleton height={120} />}
        </div>
      )}
    </Card>
  )
}

function Fields({ texts }: { texts: ChangedTexts }) {
  const { t } = useI18n()
  const all = useMemo(() => compare(texts.before, texts.after), [texts])
  if (all.length === 0) return <p className={cx(css.pad, 'muted')}>{t('revisions.same')}</p>
  return (
    <>
      <table className={css.fields}>
        <thead>
          <tr>
            <th scope="col">{t('revisions.field')}</th>
            <th scope="col">{t('revisions.before')}</th>
            <th scope="col">{t('revisions.after')}</th>
          </tr>
        </thead>
        <tbody>
          {all.slice(0, mostFields).map((f) => (
            <tr key={f.path}>
              <td>
                <code>{f.path}</code>
              </td>
              <td>{f.kind !== 'added' && <del>{brief(f.before)}</del>}</td>
              <td>{f.kind !== 'removed' && <ins>{brief(f.after)}</ins>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {all.length > mostFields && (
        <p className={cx(css.more, 'muted')}>{t('revisions.moreFields', { count: all.length - mostFields })}</p>
      )}
    </>
  )
}

function Lines({ texts, name }: { texts: ChangedTexts; name: string }) {
  const { t } = useI18n()
  const { lines, exact } = useMemo(() => {
    const found = diffLines(linesOf(texts.before), linesOf(texts.after))
    return { lines: fold(found.lines), exact: found.exact }
  }, [texts])
  if (lines.every((l) => l.kind === 'gap')) return <p className={cx(css.pad, 'muted')}>{t('revisions.same')}</p>
  const sign = { added: '+', removed: '−', same: ' ' }
  const said = { added: t('revisions.added'), removed: t('revisions.removed'), same: '' }
  return (
    <>
      {!exact && <p className={cx(css.pad, 'muted')}>{t('revisions.manyLines')}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within the keyboard's reach */}
      {/* biome-ignore lint/a11y/useSemanticElements: it is no set of fields */}
      <div className={css.diff} tabIndex={0} role="group" aria-label={t('revisions.diffOf', { name })}>
        <ol>
          {lines.map((l) =>
            l.kind === 'gap' ? (
              <li key={`gap ${lines.indexOf(l)}`} className={css.gap}>
                {t('revisions.lines', { count: l.count })}
              </li>
            ) : (
              <li key={`${l.before} ${l.after}`} className={cx(css.line, l.kind !== 'same' && css[l.kind])}>
                <span className={css.no}>{l.before}</span>
                <span className={css.no}>{l.after}</span>
                <span aria-hidden>{sign[l.kind]}</span>
                <span>
                  {said[l.kind] && <span className="visually-hidden">{said[l.kind]} </span>}
                  {l.text}
                </span>
              </li>
            ),
          )}
        </ol>
      </div>
    </>
  )
}
