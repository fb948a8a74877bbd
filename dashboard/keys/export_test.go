package keys

// RememberAtMost lowers how many keys are told one by one.
func (s *Service) RememberAtMost(n int) { s.maxUnsaid = n }
