import { type FocusEvent, useEffect, useRef } from 'react'
import { call, JsonText } from '../../../api/client'
import { useRead } from '../../../api/query'
import type { Filter } from '../../../api/schema'
import { EditingProvider, focusProblem, useValue } from '../../../form/editing'
import { isObject, rewrite } from '../../../form/json/text'
import { Kept, SchemaField, SchemaFields } from '../../../form/SchemaForm'
import { deref, labelOf, type Schema } from '../../../form/schema'
import { useI18n } from '../../../i18n'
import { LinkButton } from '../../../ui/Link'
import { Card, Stack } from '../../../ui/Page'
import { ErrorState, Notice, Skeleton } from '../../../ui/States'
import css from './Api.module.css'
import type { Draft } from './draft'
import { Endpoints } from './Endpoints'
import { Filters } from './Filters'

/** Which properties of a definition stand in which section, in this order; `id` never changes and stands in the head. */
export const sections = {
  general: ['name', 'description', 'state', 'groups', 'tags', 'owners'],
  listen: ['listen'],
  upstream: ['upstream'],
  endpoints: ['endpoints', 'allowList'],
  filters: ['filters'],
} as const

/** Properties that only the JSON tab changes, and why. */
export const rawOnly: Record<string, string> = {
  '/id': 'it never changes after the creation',
}

/** Where the focus has to go, and how often it was asked for. */
export interface FocusWish {
  at: string
  n: number
}

/** The whole definition as forms. */
export function Edit({
  id,
  draft,
  readOnly,
  focus,
  endpoint,
  onEndpoint,
}: {
  id: string
  draft: Draft
  readOnly: boolean
  focus: FocusWish
  endpoint: number
  onEndpoint: (index: number) => void
}) {
  const i18n = useI18n()
  const { t } = i18n
  const { data: schema, error, refetch } = useRead('GET /schema/api', undefined, { staleTime: Number.POSITIVE_INFINITY })
  const filters = useRead('GET /filters', undefined, { staleTime: Number.POSITIVE_INFINITY })
  const form = useRef<HTMLFormElement>(null)
  const check = useCheck(id, draft, readOnly)

  useFocus(form, focus, endpoint, onEndpoint, Boolean(schema && filters.data))
  if (error || filters.error) {
    return (
      <ErrorState
        error={error ?? filters.error}
        onRetry={() => {
          void refetch()
          void filters.refetch()
        }}
      />
    )
  }
  if (draft.fault) {
    return (
      <Notice tone="bad" action={<LinkButton to={`/apis/${encodeURIComponent(id)}?tab=json`}>{t('api.toJson')}</LinkButton>}>
        {t('api.brokenForm', { line: String(draft.fault.line) })}
      </Notice>
    )
  }
  if (!schema || !filters.data) return <Skeleton height={320} />
  const root = schema as Schema
  const catalogue = filters.data.items
  return (
    <EditingProvider editing={{ value: draft.value, base: draft.base.value, set: draft.set, problems: draft.problems, readOnly }}>
      <div className={css.edit}>
        <Contents catalogue={catalogue} />
        <form
          ref={form}
          onSubmit={(e) => e.preventDefault()}
          onBlur={(e: FocusEvent<HTMLFormElement>) => e.target !== e.currentTarget && check()}
          noValidate
        >
          <Stack>
            {readOnly && <Notice>{t('api.writeDenied')}</Notice>}
            <Part id="general" title={t('api.general')}>
              <SchemaFields at={[]} schema={root} only={sections.general} />
              <Kept at={[]} known={Object.keys(root.properties ?? {})} />
            </Part>
            <Part id="listen" title={t('api.listen')}>
              <SchemaFields at={['listen']} schema={deref(root.properties?.listen ?? {}, root)} root={root} />
            </Part>
            <Part id="upstream" title={t('api.upstream')}>
              <Upstream root={root} />
            </Part>
            <Part id="endpoints" title={t('api.endpoints')}>
              <Stack>
                <Endpoints schema={root} catalogue={catalogue} open={endpoint} onOpen={onEndpoint} />
                {root.properties?.allowList && (
                  <SchemaField
                    at={['allowList']}
                    names={['allowList']}
                    schema={deref(root.properties.allowList, root)}
                    root={root}
                  />
                )}
              </Stack>
            </Part>
            <div id="part-filters" className={css.part}>
              <h2>{t('api.filters')}</h2>
              <p className="small muted" style={{ marginBottom: 12 }}>
                {t('api.filtersHelp')}
              </p>
              <Filters catalogue={catalogue} />
            </div>
          </Stack>
        </form>
      </div>
    </EditingProvider>
  )
}

function Part({ id, title, children }: { id: string; title: string; children: React.ReactNode }) {
  return (
    <div id={`part-${id}`} className={css.part}>
      <Card title={title}>{children}</Card>
    </div>
  )
}

function Contents({ catalogue }: { catalogue: Filter[] }) {
  const i18n = useI18n()
  const { t } = i18n
  const to = (id: string) => (e: React.MouseEvent) => {
    e.preventDefault()
    const place = document.getElementById(id)
    place?.scrollIntoView({ block: 'start' })
    place?.querySelector<HTMLElement>('input, select, textarea, button')?.focus({ preventScroll: true })
  }
  return (
    <nav aria-label={t('api.sections')} className={css.contents}>
      {(Object.keys(sections) as (keyof typeof sections)[]).map((s) => (
        <a key={s} href={`#part-${s}`} onClick={to(`part-${s}`)}>
          {t(`api.${s}`)}
        </a>
      ))}
      {catalogue
        .filter((f) => f.scope.includes('api'))
        .map((f) => (
          <a key={f.name} data-sub="" href={`#filter-${f.name}`} onClick={to(`filter-${f.name}`)}>
            {labelOf(['filters', f.name], i18n)}
          </a>
        ))}
    </nav>
  )
}

/** Lets the server judge the draft when a field is left; one question at a time, the last text wins. */
function useCheck(id: string, draft: Draft, readOnly: boolean): () => void {
  const now = useRef(draft)
  now.current = draft
  const asked = useRef('')
  const busy = useRef(false)
  return () => {
    const ask = async () => {
      const { text, dirty, fault, base, value } = now.current
      if (readOnly || busy.current || !dirty || fault || asked.current === text) return
      busy.current = true
      asked.current = text
      try {
        const found = await call('POST /apis/check', { query: { id }, body: new JsonText(rewrite(base.stored, value)) })
        if (now.current.text === text) now.current.setProblems(found.problems)
      } catch {
        // Publishing asks again and shows why it fails; a check that cannot be made must not stand in the way of writing.
        asked.current = ''
      } finally {
        busy.current = false
        if (now.current.text !== text && asked.current === text) void ask()
      }
    }
    // The field's own change comes first.
    setTimeout(() => void ask())
  }
}

/** Follows the wish for a focus: opens the endpoint that it is in, then goes to the field. */
function useFocus(
  form: React.RefObject<HTMLFormElement | null>,
  wish: FocusWish,
  endpoint: number,
  onEndpoint: (index: number) => void,
  ready: boolean,
): void {
  const done = useRef(0)
  useEffect(() => {
    if (!ready || wish.n === 0 || done.current === wish.n || !form.current) return
    const index = /^\/endpoints\/(\d+)(?:\/|$)/.exec(wish.at)?.[1]
    if (index !== undefined && Number(index) !== endpoint) {
      onEndpoint(Number(index))
      return
    }
    done.current = wish.n
    focusProblem(form.current, wish.at)
  })
}

/** The upstream; what is about TLS only where a target is https, or where it is written already. */
function Upstream({ root }: { root: Schema }) {
  const { value } = useValue(['upstream'])
  const targets = isObject(value) && Array.isArray(value.targets) ? value.targets : []
  const secure = targets.some((x) => isObject(x) && /^\s*https:/i.test(String(x.url)))
  const asks = secure || (isObject(value) && value.tls !== undefined)
  return (
    <SchemaFields
      at={['upstream']}
      schema={deref(root.properties?.upstream ?? {}, root)}
      root={root}
      without={asks ? [] : ['tls']}
    />
  )
}
