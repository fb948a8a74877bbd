import type { FocusEvent } from 'react'
import { useI18n } from '../../../i18n'
import { Button } from '../../../ui/Button'
import { RadioCards, Switch } from '../../../ui/Choice'
import { Link } from '../../../ui/Link'
import { Notice } from '../../../ui/States'
import { TextInput } from '../../../ui/TextInput'
import css from './Create.module.css'
import type { Say, useAvailability, useProbe, Verdict } from './checks'
import type { Fields } from './draft'
import { type Faults, faultsOf } from './NewForm'

interface FormFieldsProps {
  fields: Fields
  faults: Faults
  /** The second click for an API without authentication was made. */
  opened: boolean
  probe: ReturnType<typeof useProbe>
  availability: ReturnType<typeof useAvailability>
  onChange: (some: Partial<Fields>) => void
  onOpen: () => void
  onFault: (field: keyof Fields, fault: Say | undefined) => void
}

export function FormFields({ fields, faults, opened, probe, availability, onChange, onOpen, onFault }: FormFieldsProps) {
  const i18n = useI18n()
  const { t } = i18n
  /** A value that was left is looked at; one that was never written is not scolded yet. */
  const left = (field: keyof Fields): boolean => {
    const fault = String(fields[field]).trim() ? faultsOf(fields, opened)[field] : undefined
    onFault(field, fault)
    return !fault && String(fields[field]).trim() !== ''
  }
  const tryUpstream = () => {
    if (left('upstream')) void probe.probe(fields.upstream.trim())
  }
  const asked = (v: Verdict) => Boolean(v.checking || v.good || v.warning || v.error)
  const checkPlace = (field: 'domain' | 'path') => {
    left(field)
    const clean = faultsOf(fields, opened)
    if (!clean.domain && !clean.path && !asked(availability.verdict)) {
      void availability.check(fields.path.trim(), fields.domain.trim())
    }
  }
  const place = availability.verdict
  /** A verdict stands where the help stood, so that nothing moves when it comes. */
  const below = (v: Verdict, fault: Say | undefined, help: 'newApi.upstreamHelp' | 'newApi.listenPathHelp') => {
    if (fault || v.error || v.warning) return t(help)
    return v.checking ? t('newApi.checking') : v.good ? undefined : t(help)
  }
  return (
    <>
      <TextInput
        name="name"
        label={t('newApi.name')}
        help={t('newApi.nameHelp')}
        required
        autoFocus
        maxLength={200}
        value={fields.name}
        onChange={(e) => onChange({ name: e.target.value })}
        onBlur={(e) => {
          if (sends(e)) return
          left('name')
          if (fields.path) checkPlace('path')
        }}
        error={faults.name?.(i18n)}
      />
      <div>
        <TextInput
          name="upstream"
          label={t('newApi.upstream')}
          help={below(probe.verdict, faults.upstream, 'newApi.upstreamHelp')}
          required
          mono
          inputMode="url"
          placeholder="http://10.0.0.5:3000"
          value={fields.upstream}
          onChange={(e) => onChange({ upstream: e.target.value })}
          onBlur={(e) => !sends(e) && !asked(probe.verdict) && tryUpstream()}
          error={faults.upstream?.(i18n)}
          warning={probe.verdict.warning?.(i18n)}
          good={probe.verdict.good?.(i18n)}
        />
        {probe.verdict.warning && (
          <div className={css.aside}>
            <Button small look="ghost" onClick={tryUpstream}>
              {t('newApi.probeAgain')}
            </Button>
          </div>
        )}
      </div>
      <TextInput
        name="domain"
        label={t('newApi.domain')}
        help={t('newApi.domainHelp')}
        optional
        mono
        placeholder="api.example.com"
        value={fields.domain}
        onChange={(e) => onChange({ domain: e.target.value })}
        onBlur={(e) => !sends(e) && checkPlace('domain')}
        error={faults.domain?.(i18n)}
      />
      <div>
        <TextInput
          name="path"
          label={t('newApi.listenPath')}
          help={below(place, faults.path, 'newApi.listenPathHelp')}
          required
          mono
          placeholder="/orders/"
          value={fields.path}
          onChange={(e) => onChange({ path: e.target.value })}
          onBlur={(e) => !sends(e) && checkPlace('path')}
          error={(faults.path ?? place.error)?.(i18n)}
          warning={place.warning?.(i18n)}
          good={place.good?.(i18n)}
        />
        {place.other && (
          <div className={css.aside}>
            <Link to={`/apis/${place.other.id}`}>{t('newApi.otherApi', { name: place.other.name })}</Link>
          </div>
        )}
      </div>
      <RadioCards
        label={t('newApi.match')}
        value={fields.match}
        onChange={(match) => onChange({ match })}
        options={[
          { value: 'prefix', label: t('newApi.matchPrefix'), help: t('newApi.matchPrefixHelp') },
          { value: 'exact', label: t('newApi.matchExact'), help: t('newApi.matchExactHelp') },
        ]}
      />
      <Switch
        label={t('newApi.strip')}
        help={t('newApi.stripHelp')}
        checked={fields.strip}
        onChange={(e) => onChange({ strip: e.target.checked })}
      />
      <div data-field="auth" className={css.group}>
        <RadioCards
          label={t('newApi.auth')}
          value={fields.auth}
          onChange={(auth) => onChange({ auth })}
          error={faults.auth?.(i18n)}
          options={[
            { value: 'key', label: t('newApi.authKey'), help: t('newApi.authKeyHelp') },
            { value: 'none', label: t('newApi.authNone'), help: t('newApi.authNoneHelp') },
          ]}
        />
        {fields.auth === 'none' && (
          <Notice
            tone="warn"
            action={
              !opened && (
                <Button small onClick={onOpen}>
                  {t('newApi.openConfirm')}
                </Button>
              )
            }
          >
            {t(opened ? 'newApi.openConfirmed' : 'newApi.openAsk')}
          </Notice>
        )}
      </div>
    </>
  )
}

/** Whether a field is left by pressing the button that sends: what the form says would then move the button away. */
function sends(e: FocusEvent): boolean {
  return e.relatedTarget instanceof HTMLButtonElement && e.relatedTarget.type === 'submit'
}
