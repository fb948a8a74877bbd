import { useState } from 'react'
import { Checkbox, RadioCards, Switch } from '../ui/Choice'
import { SearchIcon } from '../ui/icons'
import { NumberInput } from '../ui/NumberInput'
import { Card, Columns, Stack } from '../ui/Page'
import { Select } from '../ui/Select'
import { TagInput } from '../ui/TagInput'
import { PasswordInput, TextArea, TextInput } from '../ui/TextInput'

/** Every input in every state. */
export function Inputs() {
  const [n, setN] = useState<number | undefined>(100)
  const [tags, setTags] = useState(['prod', 'team-shop'])
  const [auth, setAuth] = useState<'key' | 'jwt' | 'none'>('key')
  return (
    <Card title="Inputs">
      <Columns least={300}>
        <Stack>
          <TextInput label="Name" help="Shown in lists." defaultValue="Orders" />
          <TextInput
            label="Upstream URL"
            mono
            defaultValue="https//orders"
            error="Write a URL such as https://orders.internal:8443."
          />
          <TextInput label="Listen path" mono defaultValue="/orders/" good="Free" />
          <TextInput label="Domain" placeholder="api.example.com" optional warning="No DNS record leads here yet." />
          <TextInput label="Id" mono defaultValue="orders" readOnly />
          <TextInput label="Search" icon={SearchIcon} placeholder="Search" hideLabel />
          <PasswordInput label="Password" defaultValue="correct horse" />
        </Stack>
        <Stack>
          <NumberInput label="Rate" unit="req / s" value={n} onChange={setN} min={1} />
          <NumberInput label="Timeout" unit="ms" value={undefined} onChange={() => undefined} error="This is required." />
          <Select
            label="Per"
            options={[
              { value: 's', label: 'second' },
              { value: 'm', label: 'minute' },
            ]}
          />
          <Select label="Disabled" disabled options={[{ value: 's', label: 'second' }]} />
          <TagInput label="Tags" value={tags} onChange={setTags} />
        </Stack>
        <Stack>
          <RadioCards
            label="Authentication"
            value={auth}
            onChange={setAuth}
            options={[
              { value: 'key', label: 'API key', help: 'A secret in a header.' },
              { value: 'jwt', label: 'JWT', help: 'A signed token.' },
              { value: 'none', label: 'None', help: 'Open to everyone.', disabled: true },
            ]}
          />
          <Switch label="Cache GET responses" help="Keep a copy for 60 seconds." defaultChecked />
          <Switch label="CORS" help="Allow browsers from other origins." />
          <Switch label="Disabled" disabled />
          <Checkbox label="Strip the listen path" defaultChecked />
          <Checkbox label="Disabled" disabled />
          <TextArea label="Note" optional placeholder="Why this change" />
        </Stack>
      </Columns>
    </Card>
  )
}
