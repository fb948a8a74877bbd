import { useParams, useRouterState } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '../../api/client'
import { useRead } from '../../api/query'
import type { Change, PublishNode, Revision as Rev } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { useNow } from '../../now'
import { PublishTicks } from '../../publish/PublishTicks'
import { Button } from '../../ui/Button'
import { SearchIcon } from '../../ui/icons'
import { Link, LinkButton } from '../../ui/Link'
import { Card, Facts, PageHeader, Row, Stack } from '../../ui/Page'
import { EmptyState, ErrorState, Skeleton } from '../../ui/States'
import { NodeTicks, StatusPill } from '../../ui/Status'
import { whole } from '../../url'
import { ChangeCard } from './ChangeCard'
import { Compare, rangeOf } from './Compare'
import { RollBack } from './RollBack'
import { authorText } from './words'

/** Objects that are shown at first; each is read by itself. */
const atOnce = 10

/** One revision: who changed what, and which gateways have it; or what differs between two, as in `3..7`. */
export default function Revision() {
  const { n = '' } = useParams({ strict: false }) as { n?: string }
  const range = rangeOf(n)
  return range ? <Compare {...range} /> : <RevisionPage number={n} />
}

/** The page of a revision by its number as the address has it. */
export function RevisionPage({ number: raw }: { number: string }) {
  const { t } = useI18n()
  const n = whole(1)(raw) ?? 0
  const { data, error, refetch } = useRead(
    'GET /revisions/{n}',
    { path: { n } },
    { enabled: n > 0, staleTime: Number.POSITIVE_INFINITY },
  )
  const title = t('revisions.of', { n: raw })
  useTitle(title)
  if (n === 0 || (error instanceof ApiError && error.code === 'revision.not_found')) {
    return (
      <>
        <PageHeader title={title} />
        <EmptyState
          icon={SearchIcon}
          title={t('errors.revision.not_found')}
          actions={
            <LinkButton to="/revisions" look="primary">
              {t('revisions.clearObject')}
            </LinkButton>
          }
        />
      </>
    )
  }
  // While another one is read the old one is kept; it must not stand under the new number.
  const revision = data?.revision === n ? data : undefined
  return (
    <>
      <PageHeader title={title} actions={<Neighbours n={n} />} />
      {revision ? (
        <Shown key={n} revision={revision} />
      ) : error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : (
        <Stack>
          <Card>
            <Skeleton height={84} />
          </Card>
          <Card>
            <Skeleton height={200} />
          </Card>
        </Stack>
      )}
    </>
  )
}

/** The revisions beside this one, and the ways from here to the newest and back. */
function Neighbours({ n }: { n: number }) {
  const { t } = useI18n()
  const newest = useRead('GET /publishing').data?.revision ?? n
  return (
    <Row>
      {n > 1 && <LinkButton to={`/revisions/${n - 1}`}>{t('revisions.older')}</LinkButton>}
      {n < newest && <LinkButton to={`/revisions/${n + 1}`}>{t('revisions.newer')}</LinkButton>}
      {n < newest && <LinkButton to={`/revisions/${n}..${newest}`}>{t('revisions.compareNewest')}</LinkButton>}
      <RollBack n={n} newest={newest} />
    </Row>
  )
}

function Shown({ revision }: { revision: Rev }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const now = useNow(10_000)
  const [shown, setShown] = useState(atOnce)
  const n = revision.revision
  const diff = useRead('GET /revisions/{a}/diff/{b}', { path: { a: n - 1, b: n } }, { staleTime: Number.POSITIVE_INFINITY })
  const objects = diff.data?.to === n && diff.data.from === n - 1 ? diff.data.objects : undefined
  const of = (c: Change) => {
    if (!objects) return diff.error ? null : undefined
    return objects.find((o) => o.kind === c.kind && o.id === c.id)?.differences ?? null
  }
  return (
    <Stack>
      <Card>
        <Facts
          facts={[
            [t('revisions.author'), authorText(revision.author, i18n)],
            [t('revisions.when'), `${format.precise(revision.at)} (${format.ago(revision.at, now)})`],
            [t('revisions.note'), revision.note],
          ]}
        />
      </Card>
      <Gateways n={n} />
      {revision.changes.slice(0, shown).map((c) => (
        <ChangeCard key={`${c.kind}/${c.id}`} n={n} change={c} differences={of(c)} />
      ))}
      {revision.changes.length > shown && (
        <Row>
          <Button onClick={() => setShown(shown + atOnce)}>
            {t('revisions.moreChanges', { count: revision.changes.length })}
          </Button>
        </Row>
      )}
    </Stack>
  )
}

/** Which gateways have confirmed the revision, while they do. */
function Gateways({ n }: { n: number }) {
  const { t } = useI18n()
  const made = useRouterState({ select: (s) => (s.location.state as { made?: boolean }).made === true })
  if (!made) return <Confirmed n={n} />
  return (
    <Card title={t('revisions.rolledBack', { n: String(n) })}>
      <PublishTicks revision={n} />
    </Card>
  )
}

function Confirmed({ n }: { n: number }) {
  const { t } = useI18n()
  const { data, error, refetch } = useRead('GET /publishes/{revision}', { path: { revision: n } }, { live: true })
  const why = (x: PublishNode) => x.rejected?.map((r) => r.message).join(' ')
  return (
    <Card
      title={t('revisions.gateways')}
      aside={
        data && (
          <StatusPill shape={data.published ? 'dot' : 'half'} tone={data.published ? 'ok' : 'info'}>
            {t(data.published ? 'revisions.published' : 'revisions.notPublished')}
          </StatusPill>
        )
      }
    >
      {error && !data ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : !data || data.revision !== n ? (
        <Skeleton height={28} />
      ) : data.nodes.length === 0 ? (
        <p className="muted">
          {t('revisions.noNodes')} <Link to="/gateways">{t('gateways.title')}</Link>
        </p>
      ) : (
        <NodeTicks label={t('revisions.gateways')} nodes={data.nodes.map((x) => ({ ...x, reason: why(x) }))} />
      )}
    </Card>
  )
}
