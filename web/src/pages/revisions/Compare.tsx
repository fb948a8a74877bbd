import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '../../api/client'
import { useRead } from '../../api/query'
import type { RevisionDiff } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { Button } from '../../ui/Button'
import { CheckIcon, SearchIcon } from '../../ui/icons'
import { LinkButton } from '../../ui/Link'
import { NumberInput } from '../../ui/NumberInput'
import { Card, PageHeader, Row, Stack } from '../../ui/Page'
import { EmptyState, ErrorState, Skeleton } from '../../ui/States'
import { BetweenCard } from './ChangeCard'
import css from './Revisions.module.css'

/** Objects that are shown at first. */
const atOnce = 10

/** The revisions that an address such as `3..7` names. */
export function rangeOf(raw: string): { from: number; to: number } | undefined {
  const [, from, to] = /^(\d{1,15})\.\.(\d{1,15})$/.exec(raw) ?? []
  return from === undefined || to === undefined ? undefined : { from: Number(from), to: Number(to) }
}

/** What differs between the states after two revisions. */
export function Compare({ from, to }: { from: number; to: number }) {
  const { t } = useI18n()
  const { data, error, refetch } = useRead(
    'GET /revisions/{a}/diff/{b}',
    { path: { a: from, b: to } },
    { staleTime: Number.POSITIVE_INFINITY },
  )
  const title = t('revisions.compareOf', { a: String(from), b: String(to) })
  useTitle(title)
  const missing = error instanceof ApiError && error.code === 'revision.not_found'
  // While another pair is read the old one is kept; it must not stand under the new numbers.
  const found = data?.from === from && data.to === to ? data : undefined
  return (
    <>
      <PageHeader
        title={title}
        sub={t('revisions.compareSub')}
        actions={<LinkButton to={`/revisions/${to}..${from}`}>{t('revisions.compareSwap')}</LinkButton>}
      />
      <Stack>
        <Card>
          <Pair key={`${from}..${to}`} from={from} to={to} />
        </Card>
        {found ? (
          <Objects key={`${from}..${to}`} found={found} />
        ) : missing ? (
          <Card>
            <EmptyState icon={SearchIcon} title={t('errors.revision.not_found')} />
          </Card>
        ) : error ? (
          <ErrorState error={error} onRetry={() => void refetch()} />
        ) : (
          <Card>
            <Skeleton height={160} />
          </Card>
        )}
      </Stack>
    </>
  )
}

/** The two numbers, to be changed. */
function Pair({ from, to }: { from: number; to: number }) {
  const { t } = useI18n()
  const navigate = useNavigate()
  const newest = useRead('GET /publishing').data?.revision
  const [a, setA] = useState<number | undefined>(from)
  const [b, setB] = useState<number | undefined>(to)
  const [asked, setAsked] = useState(false)
  const fault = (n: number | undefined) => (asked && n === undefined ? t('revisions.compareInvalid') : undefined)
  return (
    <form
      className={css.pair}
      noValidate
      onSubmit={(e) => {
        e.preventDefault()
        setAsked(true)
        if (a !== undefined && b !== undefined) void navigate({ to: `/revisions/${a}..${b}` as never })
      }}
    >
      <NumberInput label={t('revisions.compareFrom')} value={a} onChange={setA} min={0} max={newest} error={fault(a)} />
      <NumberInput label={t('revisions.compareTo')} value={b} onChange={setB} min={0} max={newest} error={fault(b)} />
      <Button type="submit" look="primary">
        {t('revisions.compare')}
      </Button>
    </form>
  )
}

function Objects({ found }: { found: RevisionDiff }) {
  const { t } = useI18n()
  const [shown, setShown] = useState(atOnce)
  if (found.objects.length === 0) {
    return (
      <Card>
        <EmptyState icon={CheckIcon} title={t('revisions.compareEmpty')}>
          {t('revisions.compareEmptyHelp')}
        </EmptyState>
      </Card>
    )
  }
  return (
    <>
      {found.objects.slice(0, shown).map((o) => (
        <BetweenCard key={`${o.kind}/${o.id}`} from={found.from} to={found.to} object={o} />
      ))}
      {found.objects.length > shown && (
        <Row>
          <Button onClick={() => setShown(shown + atOnce)}>{t('revisions.moreChanges', { count: found.objects.length })}</Button>
        </Row>
      )}
    </>
  )
}
