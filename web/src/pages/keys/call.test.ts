import { expect, it } from 'vitest'
import { envFile } from './call'

it('an alias cannot add lines to the .env file', () => {
  expect(envFile('a\nEVIL=1', 'slc_x')).toBe('# a EVIL=1\nAPI_KEY=slc_x\n')
})
