import { type ReactNode, useState } from 'react'
import { ApiError } from '../api/client'
import { useI18n } from '../i18n'
import { setPrefs, usePrefs, useTheme } from '../prefs'
import { Button, IconButton } from '../ui/Button'
import { CodeBlock, CopyText } from '../ui/Code'
import { DataTable } from '../ui/DataTable'
import { FilterBar } from '../ui/FilterBar'
import { ApiIcon, PlusIcon, TrashIcon } from '../ui/icons'
import { JsonEditor } from '../ui/JsonEditor'
import { Link, LinkButton } from '../ui/Link'
import { Menu } from '../ui/Menu'
import { ConfirmByName, Dialog, Drawer } from '../ui/Overlay'
import { Card, Columns, Facts, PageHeader, Row, Stack } from '../ui/Page'
import { Palette } from '../ui/Palette'
import { Denied, EmptyState, ErrorNotice, ErrorState, Notice, Skeleton } from '../ui/States'
import { NodeTicks, Stat, StatusPill } from '../ui/Status'
import { TabLinks, Tabs } from '../ui/Tabs'
import { toast } from '../ui/Toast'
import { Inputs } from './Inputs'
import { listOf, type Sample, samples } from './sample'

/** Every part of src/ui in every state: what reviews, pictures and the accessibility tests look at. */
export default function Gallery() {
  const { t, language } = useI18n()
  const { density } = usePrefs()
  const dark = useTheme() === 'dark'
  return (
    <main data-gallery style={{ maxWidth: 1240, margin: '0 auto', padding: '24px 16px 80px' }}>
      <PageHeader
        title="src/ui"
        state={<StatusPill state="active" />}
        sub="Every part in every state"
        actions={
          <>
            <Button onClick={() => setPrefs({ theme: dark ? 'light' : 'dark' })}>{dark ? 'light' : 'dark'}</Button>
            <Button onClick={() => setPrefs({ language: language === 'ko' ? 'en' : 'ko' })}>
              {language === 'ko' ? 'en' : 'ko'}
            </Button>
            <Button onClick={() => setPrefs({ density: density === 'compact' ? 'comfortable' : 'compact' })}>{density}</Button>
          </>
        }
      />
      <Stack>
        <Buttons />
        <Inputs />
        <Columns least={420}>
          <Part title="Status">
            <Row>
              {[
                'active',
                'disabled',
                'current',
                'catching-up',
                'behind',
                'rejected',
                'degraded',
                'offline',
                'draining',
                'revoked',
                'expired',
                'suspended',
                'pending',
                '?',
              ].map((s) => (
                <StatusPill key={s} state={s} />
              ))}
            </Row>
            <NodeTicks
              label="Gateways"
              nodes={[
                { id: '1', name: 'gw-1', state: 'applied', ms: 96 },
                { id: '2', name: 'gw-2', state: 'applied', ms: 1310 },
                { id: '3', name: 'gw-3', state: 'pending' },
                { id: '4', name: 'gw-4', state: 'rejected', reason: 'The filter cors is not known to this build.' },
                { id: '5', name: 'gw-5', state: 'offline' },
              ]}
            />
            <dl style={{ display: 'flex', flexWrap: 'wrap', gap: 32 }}>
              <Stat label="Requests / s" value="901" note="+4.2 %" />
              <Stat label="p95" value="42 ms" />
              <Stat label="Gateways" value="3 / 3" note="rev 128" />
            </dl>
          </Part>
          <Part title="Code">
            <CodeBlock label="curl" text={'curl -i https://api.example.com/orders \\\n  -H "Authorization: $API_KEY"'} />
            <CopyText text="api_35XQPBHDZR7XY7RFESAV" what="id" />
            <Facts
              facts={[
                ['Listen path', <code key="p">/orders/</code>],
                ['Upstream', 'https://orders.internal:8443'],
                ['Absent', undefined],
                ['Long', `https://${'long-'.repeat(20)}.example.com/`],
              ]}
            />
          </Part>
        </Columns>
        <Notices />
        <TabsPart />
        <Part title="Editor">
          <JsonEditor
            label={t('ui.editorLabel')}
            height={220}
            value={
              '{\n  "name": "Orders",\n  "listen": { "path": "/orders/" },\n  "upstream": { "targets": [{ "url": "http://10.0.0.5:3000", "weight": 1 }] },\n  "state": null,\n  "on": true\n}\n'
            }
            problems={[{ path: '/upstream/targets/0/url', text: 'This is not reachable.', severity: 'warning' }]}
          />
        </Part>
        <Tables />
      </Stack>
    </main>
  )
}

/** One group of parts. */
export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Card title={title}>
      <Stack>{children}</Stack>
    </Card>
  )
}

function Buttons() {
  const [open, setOpen] = useState('')
  const close = () => setOpen('')
  return (
    <Part title="Buttons and layers">
      <Row>
        <Button look="primary" icon={PlusIcon}>
          Primary
        </Button>
        <Button>Default</Button>
        <Button look="ghost">Ghost</Button>
        <Button look="danger" icon={TrashIcon}>
          Danger
        </Button>
        <Button look="dangerQuiet">Quiet danger</Button>
        <Button disabled="Needs apis:write">Disabled</Button>
        <Button look="primary" busy>
          Busy
        </Button>
        <Button small>Small</Button>
        <IconButton icon={TrashIcon} label="Delete" />
        <IconButton icon={PlusIcon} label="Add" look="default" small />
        <LinkButton to="/__ui" look="default">
          Link as button
        </LinkButton>
        <Link to="/__ui?x=1">Link</Link>
        <Link to="https://example.com">External</Link>
      </Row>
      <Row>
        <Button onClick={() => setOpen('dialog')}>Dialog</Button>
        <Button onClick={() => setOpen('drawer')}>Drawer</Button>
        <Button onClick={() => setOpen('confirm')}>Confirm</Button>
        <Button onClick={() => setOpen('palette')}>Palette</Button>
        <Button onClick={() => toast({ text: 'orders was deleted.', undo: () => undefined })}>Toast</Button>
        <Button onClick={() => toast({ kind: 'bad', text: 'The store does not answer.' })}>Error toast</Button>
        <Menu
          target={<Button>Menu</Button>}
          groups={[
            [
              { label: 'Edit', onSelect: () => undefined },
              { label: 'Clone', onSelect: () => undefined, disabled: 'Needs apis:write' },
            ],
            [{ label: 'Delete', icon: TrashIcon, danger: true, onSelect: () => undefined }],
          ]}
        />
      </Row>
      <Dialog open={open === 'dialog'} onClose={close} title="Dialog" foot={<Button look="primary">Save</Button>}>
        Text of a dialog.
      </Dialog>
      <Drawer open={open === 'drawer'} onClose={close} title="Drawer" foot={<Button look="primary">Save</Button>}>
        <Facts facts={[['Method', 'GET']]} />
      </Drawer>
      <ConfirmByName
        open={open === 'confirm'}
        onClose={close}
        title="Delete orders?"
        action="Delete"
        name="orders"
        onConfirm={close}
      >
        1 204 requests a minute would get 404.
      </ConfirmByName>
      <Palette
        open={open === 'palette'}
        onClose={close}
        label="Palette"
        placeholder="Search or jump to…"
        commands={[
          { id: 'a', group: 'Pages', label: 'APIs', icon: ApiIcon, note: 'g a', run: () => undefined },
          { id: 'b', group: 'Commands', label: 'Sign out', run: () => undefined },
        ]}
      />
    </Part>
  )
}

const refusal = new ApiError('publish.store_unavailable', 'the store does not answer', 503, {}, [], 'req_01JD8Z')

function Notices() {
  return (
    <Columns least={420}>
      <Part title="Notices">
        <Notice tone="ok">Live on 3 of 3 gateways.</Notice>
        <Notice>Recording ends at 14:05.</Notice>
        <Notice tone="warn" action={<Button small>Retry</Button>}>
          gw-3 has not confirmed.
        </Notice>
        <ErrorNotice
          error={refusal}
          problems={[{ code: 'required', path: '/upstream/targets', message: 'targets is missing', severity: 'error' }]}
        />
        <Skeleton width="60%" />
        <Skeleton height={40} />
      </Part>
      <Part title="States">
        <EmptyState icon={ApiIcon} title="No API yet" actions={<Button look="primary">Create an API</Button>}>
          An API is a path on the gateway and the upstream behind it.
        </EmptyState>
        <ErrorState error={refusal} onRetry={() => undefined} />
        <Denied permission="apis:write" login="viewer" role="viewer" />
      </Part>
    </Columns>
  )
}

function TabsPart() {
  const [tab, setTab] = useState('form')
  return (
    <Part title="Tabs">
      <TabLinks
        label="Parts of orders"
        current="overview"
        tabs={[
          { id: 'overview', label: 'Overview', to: '/__ui' },
          { id: 'keys', label: 'Keys', to: '/__ui?tab=keys', count: 12 },
        ]}
      />
      <Tabs
        label="Views"
        current={tab}
        onChange={setTab}
        tabs={[
          { id: 'form', label: 'Form' },
          { id: 'json', label: 'JSON' },
        ]}
      >
        {tab}
      </Tabs>
    </Part>
  )
}

function Tables() {
  const { format } = useI18n()
  const [q, setQ] = useState('')
  const [state, setState] = useState<string | undefined>('active')
  const [sort, setSort] = useState('name')
  const rows = samples(400).filter((r) => r.name.includes(q))
  const table = (name: string, list: Parameters<typeof DataTable<Sample>>[0]['list'], filtered?: boolean) => (
    <DataTable<Sample>
      label={name}
      list={list}
      keyOf={(r) => r.id}
      hrefOf={(r) => `/__ui?open=${r.id}`}
      sort={sort}
      onSort={setSort}
      filtered={filtered}
      onClear={() => setQ('')}
      empty={<EmptyState title="No API yet">An API is a path on the gateway.</EmptyState>}
      columns={[
        { id: 'name', header: 'Name', cell: (r) => r.name, width: 'minmax(140px, 2fr)', sort: { up: 'name' } },
        { id: 'path', header: 'Listen path', cell: (r) => <code>{r.path}</code>, from: 560 },
        { id: 'upstream', header: 'Upstream', cell: (r) => <code>{r.upstream}</code>, width: 'minmax(120px, 2fr)', from: 760 },
        {
          id: 'rps',
          header: 'Requests / s',
          cell: (r) => format.count(r.rps),
          align: 'end',
          width: '100px',
          sort: { down: '-rps' },
          from: 480,
        },
        { id: 'state', header: 'State', cell: (r) => <StatusPill state={r.state} />, width: '132px' },
      ]}
    />
  )
  return (
    <>
      <Card title="Table: waiting" flush>
        {table('Waiting', listOf<Sample>([], { loading: true }))}
      </Card>
      <Card title="Table: nothing matches" flush>
        {table('Filtered', listOf<Sample>([]), true)}
      </Card>
      <Card title="Table: refused" flush>
        {table('Refused', listOf<Sample>([], { error: refusal }))}
      </Card>
      <Card title="Table" flush>
        <FilterBar
          placeholder="Search name, path, upstream"
          q={q}
          onSearch={setQ}
          total={rows.length}
          values={{ state }}
          onFilter={(_, v) => setState(v)}
          filters={[
            {
              id: 'state',
              label: 'State',
              options: [
                { value: 'active', label: 'Live' },
                { value: 'disabled', label: 'Off' },
              ],
            },
            { id: 'tag', label: 'Tag', options: [{ value: 'a', label: 'a' }] },
          ]}
        />
        {table('APIs', listOf(rows, { total: rows.length }), q !== '')}
      </Card>
    </>
  )
}
