package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// machinePath finds absolute paths of somebody's machine. The pattern has no slash before its first
// group's words, so that it does not find itself.
var machinePath = regexp.MustCompile("(?:^|[\\s\"'=(:,`])" + `/(?:work|root|home)/[A-Za-z0-9._-]`)

// registryHosts are the hosts that packages come from. A tracked file must not name one: where packages
// come from is set on the machine that builds. They are put together here so that this file passes.
func registryHosts() []string {
	dot := "."
	return []string{
		"proxy" + dot + "golang" + dot + "org", "sum" + dot + "golang" + dot + "org", "goproxy" + dot + "io",
		"registry" + dot + "npmjs" + dot + "org", "registry" + dot + "yarnpkg" + dot + "com",
		"repo" + dot + "maven" + dot + "apache" + dot + "org", "repo1" + dot + "maven" + dot + "org",
		"deb" + dot + "debian" + dot + "org", "archive" + dot + "ubuntu" + dot + "com",
		"pypi" + dot + "org", "files" + dot + "pythonhosted" + dot + "org", "crates" + dot + "io",
	}
}

// checkTexts looks at every tracked text file, and at the length of the console's source files.
func checkTexts(root fs.FS, tracked []string) (out []finding, err error) {
	hosts := registryHosts()
	for _, name := range tracked {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			continue
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			if machinePath.MatchString(line) {
				out = append(out, finding{Rule: "machine-path", File: name, Line: number, Text: "an absolute path of one machine"})
			}
			for _, host := range hosts {
				if strings.Contains(line, host) {
					out = append(out, finding{Rule: "registry-host", File: name, Line: number, Text: "names the package registry " + host})
				}
			}
		}
		ext := path.Ext(name)
		if (ext == ".ts" || ext == ".tsx") && number > maxFile && !bytes.Contains(text[:min(len(text), 300)], []byte("Code generated")) {
			out = append(out, finding{Rule: "file-size", File: name, Text: fmt.Sprintf("%d lines; %d are the most", number, maxFile)})
		}
	}
	return out, nil
}
