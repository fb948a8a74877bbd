import { useState } from 'react'
import type { Names, Right } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { RadioCards } from '../../ui/Choice'
import { ApiPicker, PolicyPicker } from './Picker'
import { everyApi, withApis } from './rights'

/** What a key may call: APIs that are chosen, or every one, and what its policies add. */
export function MayCall({
  rights,
  policies,
  names,
  onRights,
  onPolicies,
  error,
  policyError,
}: {
  rights: Right[]
  policies: string[]
  names: Names
  onRights: (rights: Right[]) => void
  onPolicies: (policies: string[]) => void
  error?: string
  policyError?: string
}) {
  const { t } = useI18n()
  const { can } = useSession()
  const every = rights.some((r) => r.api === everyApi)
  const [before, setBefore] = useState<Right[]>(() => rights.filter((r) => r.api !== everyApi))
  return (
    <>
      <RadioCards
        label={t('keys.mayCall')}
        value={every ? 'all' : 'some'}
        onChange={(v) => {
          if (v === 'all') {
            setBefore(rights)
            onRights([{ api: everyApi }])
          } else onRights(before)
        }}
        options={[
          { value: 'some', label: t('keys.chosenApis'), help: t('keys.chosenApisHelp') },
          { value: 'all', label: t('keys.everyApi'), help: t('keys.everyApiHelp') },
        ]}
      />
      {!every && can('apis:read') && (
        <ApiPicker
          label={t('keys.apis')}
          error={error}
          value={rights.map((r) => r.api)}
          names={names.apis}
          onChange={(ids) => onRights(withApis(rights, ids))}
        />
      )}
      {can('policies:read') && (
        <PolicyPicker
          label={t('keys.policies')}
          help={t('keys.policiesHelp')}
          error={policyError}
          value={policies}
          names={names.policies}
          onChange={onPolicies}
        />
      )}
    </>
  )
}
