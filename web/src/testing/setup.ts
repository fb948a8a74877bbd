import { cleanup, configure } from '@testing-library/react'
import { afterEach, beforeEach } from 'vitest'

// What is waited for comes at once on a quiet machine; a busy one may take its time.
configure({ asyncUtilTimeout: 10_000 })

// A test begins and ends without what another one left.
beforeEach(() => {
  localStorage.clear()
})
afterEach(cleanup)
