import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '../../api/client'
import { useRead } from '../../api/query'
import type { PublishNode, Revision as Rev } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { useNow } from '../../now'
import { Button } from '../../ui/Button'
import { SearchIcon } from '../../ui/icons'
import { Link, LinkButton } from '../../ui/Link'
import { Card, Facts, PageHeader, Row, Stack } from '../../ui/Page'
import { EmptyState, ErrorState, Skeleton } from '../../ui/States'
import { NodeTicks, StatusPill } from '../../ui/Status'
import { whole } from '../../url'
import { ChangeCard } from './ChangeCard'
import { authorText } from './words'

/** Objects that are shown at first; each is read by itself. */
const atOnce = 10

/** One revision: who changed what, and which gateways have it. */
export default function Revision() {
  const { n = '' } = useParams({ strict: false }) as { n?: string }
  return <RevisionPage number={n} />
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

/** The revisions beside this one; there is a newer one if the newest that was published is. */
function Neighbours({ n }: { n: number }) {
  const { t } = useI18n()
  const newest = useRead('GET /publishing').data?.revision ?? n
  return (
    <Row>
      {n > 1 && <LinkButton to={`/revisions/${n - 1}`}>{t('revisions.older')}</LinkButton>}
      {n < newest && <LinkButton to={`/revisions/${n + 1}`}>{t('revisions.newer')}</LinkButton>}
    </Row>
  )
}

function Shown({ revision }: { revision: Rev }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const now = useNow(10_000)
  const [shown, setShown] = useState(atOnce)
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
      <Gateways n={revision.revision} />
      {revision.changes.slice(0, shown).map((c) => (
        <ChangeCard key={`${c.kind}/${c.id}`} n={revision.revision} change={c} />
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
