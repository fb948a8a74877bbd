import type { ReactNode } from 'react'
import { useRead } from '../../api/query'
import type { Change, ChangedTexts, Difference, ObjectDiff } from '../../api/schema'
import { Changes } from '../../changes/Changes'
import { useI18n } from '../../i18n'
import { Link } from '../../ui/Link'
import { Card, Row } from '../../ui/Page'
import { ErrorState, Skeleton } from '../../ui/States'
import { Tabs } from '../../ui/Tabs'
import { oneOf, useUrl } from '../../url'
import css from './Revisions.module.css'
import { Fields, Lines } from './Texts'
import { useTextsBetween } from './texts'
import { changeText, historyPath, objectPath } from './words'

/** Two documents of an object as they are read. */
interface Texts {
  data?: ChangedTexts
  error: unknown
  refetch: () => unknown
}

/**
 * What is known of the differences: `undefined` while they are read, `null` where they cannot be told, so that the
 * documents have to.
 */
type Known = readonly Difference[] | null | undefined

/** One sentence that something is new or gone says too little: its fields are shown as well. */
const whole = (d: Known) => d?.length === 1 && d[0]?.path === '' && d[0].op !== 'changed'

/** Whether the documents themselves have to be read. */
const needsTexts = (view: string | undefined, d: Known) => view === 'diff' || d === null || whole(d) === true

/** What a revision did to one object: in sentences, or line by line. */
export function ChangeCard({ n, change, differences }: { n: number; change: Change; differences: Known }) {
  const i18n = useI18n()
  const [{ view }] = useUrl({ view: oneOf('diff') })
  const { kind, id } = change
  const texts = useRead(
    'GET /revisions/{n}/changes/{kind}/{id}',
    { path: { n, kind, id } },
    { enabled: needsTexts(view, differences), staleTime: Number.POSITIVE_INFINITY },
  )
  return <ObjectCard object={change} name={changeText(change, i18n)} differences={differences} texts={texts} />
}

/** How one object differs between two revisions. */
export function BetweenCard({ from, to, object }: { from: number; to: number; object: ObjectDiff }) {
  const i18n = useI18n()
  const [{ view }] = useUrl({ view: oneOf('diff') })
  const texts = useTextsBetween(from, to, object, needsTexts(view, object.differences))
  return <ObjectCard object={object} name={changeText(object, i18n)} differences={object.differences} texts={texts} />
}

function ObjectCard({
  object: { kind, id, after },
  name,
  differences,
  texts,
}: {
  object: Pick<Change, 'kind' | 'id' | 'after'>
  name: string
  differences: Known
  texts: Texts
}) {
  const { t } = useI18n()
  const [url, setUrl] = useUrl({ view: oneOf('diff') })
  const to = after ? objectPath(kind, id) : undefined
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
      <Tabs
        label={name}
        current={url.view ?? 'changes'}
        onChange={(view) => setUrl({ view: view === 'diff' ? 'diff' : undefined })}
        tabs={[
          { id: 'changes', label: t('revisions.changes') },
          { id: 'diff', label: t('revisions.diff') },
        ]}
      >
        {url.view === 'diff' ? (
          <Read texts={texts}>{(read) => <Lines texts={read} name={name} />}</Read>
        ) : differences === undefined ? (
          <Waiting />
        ) : differences === null || whole(differences) ? (
          <Read texts={texts}>{(read) => <Fields texts={read} />}</Read>
        ) : (
          <div className={css.sentences}>
            <Changes differences={differences} />
          </div>
        )}
      </Tabs>
    </Card>
  )
}

function Read({ texts, children }: { texts: Texts; children: (texts: ChangedTexts) => ReactNode }) {
  if (texts.data) return children(texts.data)
  return texts.error ? <ErrorState error={texts.error} onRetry={() => void texts.refetch()} /> : <Waiting />
}

function Waiting() {
  return (
    <div className={css.pad}>
      <Skeleton height={72} />
    </div>
  )
}
