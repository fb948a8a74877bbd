import { useNavigate, useParams, useRouterState } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { ApiError } from '../../api/client'
import { explainProblem } from '../../api/errors'
import { nothingAtAll } from '../../api/query'
import type { Problem } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { Button, IconButton } from '../../ui/Button'
import { Switch } from '../../ui/Choice'
import { DataTable } from '../../ui/DataTable'
import { RefreshIcon, RequestsIcon } from '../../ui/icons'
import { LinkButton } from '../../ui/Link'
import { Card, PageHeader, Row, Stack } from '../../ui/Page'
import { EmptyState, Notice } from '../../ui/States'
import { oneOf, text, useUrl } from '../../url'
import { useColumns } from './Cells'
import { RequestDrawer } from './RequestDrawer'
import css from './Requests.module.css'
import { type Range, readRange } from './range'
import { TimeRange } from './TimeRange'
import { TokenBar } from './TokenBar'
import { parseTokens, question } from './tokens'
import { type Requests as Found, useRequests } from './useRequests'

const schema = { q: text, range: text, from: text, to: text, live: oneOf('1') }

/** What was called: a list that is searched at the server, and one request of it in a drawer with its own address. */
export default function Requests() {
  const { t } = useI18n()
  const [url, setUrl] = useUrl(schema)
  const { id } = useParams({ strict: false }) as { id?: string }
  const search = useRouterState({ select: (s) => s.location.searchStr })
  const navigate = useNavigate()
  const asked = useMemo(() => question(parseTokens(url.q)), [url.q])
  const range = useMemo(() => readRange(url.range, url.from, url.to), [url.range, url.from, url.to])
  const list = useRequests(asked, range, url.live === '1')
  const columns = useColumns(list.items)
  const fixed = !('last' in range)

  const setRange = (r: Range) =>
    setUrl('last' in r ? { range: r.last, from: '', to: '' } : { range: '', from: r.from, to: r.to, live: undefined })
  const show = (next?: string, replace = false) =>
    void navigate({
      to: next ? '/requests/$id' : '/requests',
      params: next ? { id: next } : {},
      search: (old: Record<string, string>) => old,
      resetScroll: false,
      replace,
    } as Parameters<typeof navigate>[0])
  const none = <NothingYet found={list} />
  return (
    <>
      <PageHeader
        title={t('titles.requests')}
        sub={t('requests.sub')}
        actions={
          <Row>
            <Live on={url.live === '1'} fixed={fixed} found={list} onChange={(on) => setUrl({ live: on ? '1' : undefined })} />
            <TimeRange value={range} onChange={setRange} />
            <IconButton look="default" icon={RefreshIcon} label={t('requests.refresh')} onClick={list.refresh} />
          </Row>
        }
      />
      <Stack>
        <Problems found={list} />
        <Card flush>
          {!(nothingAtAll(list, url.q !== '') && neverKept(list)) && (
            <div className={css.bar2}>
              <TokenBar value={url.q} onChange={(q) => setUrl({ q })} />
              {!list.loading && (
                <output className={css.count}>{t(list.totalExact ? 'ui.rows' : 'ui.rowsAbout', { count: list.total })}</output>
              )}
            </div>
          )}
          {list.held > 0 && (
            <div className={css.held}>
              <Button
                small
                look="primary"
                onClick={() => {
                  list.showHeld()
                  window.scrollTo({ top: 0 })
                }}
              >
                {t('requests.held', { count: list.held })}
              </Button>
            </div>
          )}
          <DataTable
            label={t('titles.requests')}
            columns={columns}
            list={list}
            keyOf={(r) => r.id}
            hrefOf={(r) => `/requests/${r.id}${search}`}
            over
            empty={none}
            filtered={url.q !== ''}
            onClear={() => setUrl({ q: '' })}
          />
        </Card>
      </Stack>
      <RequestDrawer
        id={id}
        items={list.items}
        onShow={(next) => show(next, true)}
        onClose={() => show()}
        onEnd={list.loadMore}
      />
    </>
  )
}

/** Reads the newest every few seconds; where the range has an end there is nothing newer. */
function Live({ on, fixed, found, onChange }: { on: boolean; fixed: boolean; found: Found; onChange: (on: boolean) => void }) {
  const { t, format } = useI18n()
  return (
    <span className={css.live} title={found.readAt ? t('ui.stale', { time: format.time(found.readAt) }) : undefined}>
      <Switch label={t('requests.live')} checked={on && !fixed} disabled={fixed} onChange={(e) => onChange(e.target.checked)} />
    </span>
  )
}

/** Why there is less than was asked for, and what to do. */
function Problems({ found }: { found: Found }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const [hidden, setHidden] = useState<string[]>([])
  const say = (p: Problem) => {
    if (p.code === 'requests.day_skipped') return t('requests.daySkipped', { reason: String(p.params?.reason ?? p.message) })
    return explainProblem(p, i18n)
  }
  const goOn = found.problems.find((p) => p.code === 'requests.go_on')
  const rest = found.problems.filter((p) => p.code !== 'requests.go_on' && p.code !== 'requests.nothing_kept')
  return (
    <>
      {goOn && (found.following || found.paused) && (
        <Notice
          action={
            found.following ? (
              <Button small onClick={found.stop}>
                {t('requests.stop')}
              </Button>
            ) : (
              <Button small onClick={found.goOn}>
                {t('requests.goOn')}
              </Button>
            )
          }
        >
          {t(found.following ? 'requests.searchingOn' : 'requests.searchedTo', {
            time: format.dateTime(String(goOn.params?.at ?? '')),
          })}
        </Notice>
      )}
      {rest
        .filter((p) => !hidden.includes(p.message))
        .map((p) => (
          <Notice
            key={p.message}
            tone="warn"
            action={
              <Button small look="ghost" onClick={() => setHidden([...hidden, p.message])}>
                {t('ui.dismiss')}
              </Button>
            }
          >
            {say(p)}
          </Notice>
        ))}
    </>
  )
}

/** No record was ever written where this dashboard looks. */
const neverKept = (found: Found) => found.problems.find((p) => p.code === 'requests.nothing_kept')

/** An empty list: no pump has ever written, or nothing was called in this time. */
function NothingYet({ found }: { found: Found }) {
  const { t } = useI18n()
  const { can } = useSession()
  const kept = neverKept(found)
  if (kept) {
    return (
      <EmptyState
        icon={RequestsIcon}
        title={t('requests.nothingKept')}
        actions={can('gateways:read') && <LinkButton to="/gateways">{t('requests.toGateways')}</LinkButton>}
      >
        {t('requests.nothingKeptHelp', { place: String(kept.params?.place ?? '') })}
      </EmptyState>
    )
  }
  return (
    <EmptyState
      icon={RequestsIcon}
      title={t('requests.empty')}
      actions={
        <Button look="primary" onClick={found.refresh}>
          {t('requests.refresh')}
        </Button>
      }
    >
      {found.error instanceof ApiError ? null : t('requests.emptyHelp')}
    </EmptyState>
  )
}
