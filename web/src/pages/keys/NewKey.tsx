import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { call } from '../../api/client'
import { invalidate } from '../../api/query'
import type { NewKey as Draft, KeyWritten, Problem, Right } from '../../api/schema'
import { useFound } from '../../form/problems'
import { type PlainKey, useI18n } from '../../i18n'
import { Unsaved } from '../../layout/unsaved'
import { Button } from '../../ui/Button'
import { LinkButton } from '../../ui/Link'
import { Card, PageHeader, Row, Stack } from '../../ui/Page'
import { ErrorNotice, Notice } from '../../ui/States'
import { TagInput } from '../../ui/TagInput'
import { TextInput } from '../../ui/TextInput'
import { Effective, usePreview } from './Effective'
import { type Expiry, ExpiryField } from './Expiry'
import { Issued } from './Issued'
import css from './Keys.module.css'
import { MayCall } from './MayCall'
import { useNames } from './names'
import { url, useUrlApi } from './preset'

interface Fields {
  alias: string
  owner: string
  rights: Right[]
  policies: string[]
  tags: string[]
  expiresAt: Expiry
}

const places = {
  '/alias': 'alias',
  '/owner': 'owner',
  '/rights': 'rights',
  '/policies': 'policies',
  '/tags': 'tags',
  '/expiresAt': 'expiresAt',
} as const

function draftOf(v: Fields): Draft {
  return {
    alias: v.alias.trim(),
    ...(v.owner.trim() && { owner: v.owner.trim() }),
    ...(v.rights.length > 0 && { rights: v.rights }),
    ...(v.policies.length > 0 && { policies: v.policies }),
    ...(v.tags.length > 0 && { tags: v.tags }),
    ...(v.expiresAt !== undefined && { expiresAt: v.expiresAt }),
  }
}

/** Makes a key. Its secret stands in this page's memory until the page is left, and nowhere else. */
export default function NewKey() {
  const { t } = useI18n()
  const [made, setMade] = useState<KeyWritten | null>(null)
  return (
    <>
      <PageHeader title={t(made ? 'keys.made' : 'titles.newKey')} sub={made ? made.object.alias : t('keys.newSub')} />
      {made ? <Issued written={made} /> : <Form onMade={setMade} />}
    </>
  )
}

function Form({ onMade }: { onMade: (w: KeyWritten) => void }) {
  const { t } = useI18n()
  const api = useUrlApi()
  const form = useForm<Fields>({
    defaultValues: { alias: '', owner: '', rights: api ? [{ api }] : [], policies: [], tags: [], expiresAt: undefined },
    mode: 'onBlur',
    reValidateMode: 'onChange',
  })
  const { isSubmitting, isDirty } = form.formState
  const { place, say } = useFound(form, places)
  const [refused, setRefused] = useState<{ error: unknown; rest: Problem[] } | null>(null)
  const [done, setDone] = useState(false)
  const v = form.watch()
  const draft = draftOf(v)
  // The alias is no part of what is shown; without one the server would only say that it is missing.
  const preview = usePreview({ ...draft, alias: draft.alias || '-' })
  const names = useNames(preview.data?.names)
  const nothing = v.rights.length === 0 && v.policies.length === 0
  const change = <K extends keyof Fields>(name: K, value: Fields[K]) => {
    form.setValue(name, value as never, { shouldDirty: true })
    form.clearErrors(name)
  }
  const submit = form.handleSubmit(async (fields) => {
    setRefused(null)
    try {
      const written = await call('POST /keys', { body: draftOf(fields) })
      setDone(true)
      void invalidate('/keys')
      onMade(written)
    } catch (error) {
      const { placed, rest } = place(error)
      if (!placed || rest.length > 0) setRefused({ error, rest })
    }
  })
  const missing = (text: string) => text.trim() !== '' || ('errors.required' satisfies PlainKey)
  return (
    <form onSubmit={submit} noValidate>
      <Unsaved when={isDirty && !done} />
      <div className={css.sides}>
        <Stack>
          {refused && <ErrorNotice error={refused.error} problems={refused.rest} />}
          <Card title={t('keys.who')}>
            <Stack>
              <TextInput
                label={t('keys.alias')}
                help={t('keys.aliasHelp')}
                maxLength={200}
                required
                {...form.register('alias', { validate: missing })}
                error={say('alias')}
              />
              <TextInput
                label={t('keys.owner')}
                help={t('keys.ownerHelp')}
                maxLength={200}
                required
                {...form.register('owner', { validate: missing })}
                error={say('owner')}
              />
              <TagInput label={t('keys.tags')} optional value={v.tags} onChange={(x) => change('tags', x)} error={say('tags')} />
            </Stack>
          </Card>
          <Card title={t('keys.what')}>
            <Stack>
              <MayCall
                rights={v.rights}
                policies={v.policies}
                names={names}
                onRights={(x) => change('rights', x)}
                onPolicies={(x) => change('policies', x)}
                error={say('rights')}
                policyError={say('policies')}
              />
            </Stack>
          </Card>
          <Card title={t('keys.howLong')}>
            <Stack>
              <ExpiryField value={v.expiresAt} onChange={(x) => change('expiresAt', x)} error={say('expiresAt')} />
            </Stack>
          </Card>
          {/* Not below the preview: what arrives from the server would move the button away from the click. */}
          {nothing && <Notice tone="warn">{t('errors.key.may_nothing')}</Notice>}
          <Row>
            <Button look="primary" type="submit" busy={isSubmitting}>
              {t('keys.create')}
            </Button>
            <LinkButton to={url.list}>{t('ui.cancel')}</LinkButton>
          </Row>
        </Stack>
        <div className={css.aside}>
          <Card title={t('keys.effective')}>
            <Effective preview={preview.data} error={preview.error} never={v.expiresAt === null} />
          </Card>
        </div>
      </div>
    </form>
  )
}
