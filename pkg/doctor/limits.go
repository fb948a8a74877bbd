package doctor

import "context"

// OpenFiles is the check of how many files a process may have open, connections
// included: below least it fails, below wanted it warns.
func OpenFiles(least, wanted uint64) Check {
	return Check{Name: "open files", Run: func(context.Context) Finding {
		most, known := openFiles()
		if !known {
			return Well("This system does not say how many files a process may have open.")
		}
		return judgeFiles(most, least, wanted)
	}}
}

func judgeFiles(most, least, wanted uint64) Finding {
	const mend = "raise it: LimitNOFILE= in the unit of systemd, --ulimit nofile= of the container, or ulimit -Hn"
	switch {
	case most < least:
		return Failure(mend, "A process started from here may have %d files open, connections included; %d are the least.", most, least)
	case most < wanted:
		return Warning(mend, "A process started from here may have %d files open, connections included; %d are advised.", most, wanted)
	}
	return Well("A process started from here may have %d files open, connections included; the service's own limit is that of its unit or container.", most)
}
