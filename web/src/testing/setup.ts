import { cleanup } from '@testing-library/react'
import { afterEach, beforeEach } from 'vitest'

// A test begins and ends without what another one left.
beforeEach(() => {
  localStorage.clear()
})
afterEach(cleanup)
