package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

const prefix = "github.com/sluice-gateway/sluice/"

var (
	goName   = regexp.MustCompile(`^[a-z][a-z0-9]{1,30}$`)
	pageName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{1,30}$`)
)

func render(name string, data map[string]string) ([]byte, error) {
	t, err := template.New(path.Base(name)).Delims("[[", "]]").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".go.tmpl") {
		return format.Source(b.Bytes())
	}
	return b.Bytes(), nil
}

func newFilter(_ string, args []string) (*thing, error) {
	stages := []string{"receive", "protect", "cors", "identify", "authorise", "limit", "check", "shape", "answer", "respond", "record"}
	if len(args) != 2 || !goName.MatchString(args[0]) || !slices.Contains(stages, args[1]) {
		return nil, fmt.Errorf("filter NAME STAGE: a name of lower-case letters and digits, and one of %s", strings.Join(stages, ", "))
	}
	name, stage := args[0], args[1]
	dir := "gateway/filter/" + name + "/"
	constant := strings.ToUpper(stage[:1]) + stage[1:]
	if stage == "cors" {
		constant = "CORS"
	}
	return &thing{
		files: map[string]string{
			dir + name + ".go": "filter.go.tmpl", dir + name + "_test.go": "filter_test.go.tmpl", dir + "README.md": "filter.md.tmpl",
			"scripts/changelog/unreleased/filter-" + name + ".md": "changelog.md.tmpl",
		},
		data:  map[string]string{"Name": name, "Stage": constant, "What": "the filter " + name},
		list:  "gateway/chain/order.go",
		hint:  name + ".Spec()",
		enter: func(text string) (string, error) { return intoOrder(text, name, stage) },
		next: []string{
			"say what it does in its test, which fails until then", "see that its place within the stage is right",
			"make generate", "one deploy/e2e/specs/" + name + "_*.json per option",
		},
	}, nil
}

// intoOrder adds the import and a line at the end of the stage's group in the slice of Order.
func intoOrder(text, name, stage string) (string, error) {
	at := strings.Index(text, "// "+stage+":")
	if at < 0 {
		return "", fmt.Errorf("it has no group %q", stage)
	}
	end := strings.Index(text[at:], "\n\n")
	if closing := strings.Index(text[at:], "\n\t}\n"); closing >= 0 && (end < 0 || closing < end) {
		end = closing
	}
	if end < 0 {
		return "", fmt.Errorf("the group %q has no end", stage)
	}
	text = text[:at+end] + "\n\t\t" + name + ".Spec()," + text[at+end:]
	return withImport(text, prefix+"gateway/filter/"+name)
}

// withImport adds an import and formats the file.
func withImport(text, importPath string) (string, error) {
	at := strings.Index(text, "import (\n")
	if at < 0 {
		return "", errors.New("it has no import block")
	}
	end := strings.Index(text[at:], "\n)")
	if end < 0 {
		return "", errors.New("its import block has no end")
	}
	text = text[:at+end] + "\n\t\"" + importPath + "\"" + text[at+end:]
	out, err := format.Source([]byte(text))
	return string(out), err
}

func newSink(_ string, args []string) (*thing, error) {
	if len(args) != 1 || !goName.MatchString(args[0]) {
		return nil, errors.New("sink NAME: a name of lower-case letters and digits")
	}
	name := args[0]
	dir := "pump/sink/" + name + "/"
	field := strings.ToUpper(name[:1]) + name[1:]
	options := fmt.Sprintf("// %s are the options of sinks of the type %s.\n\t%s %s.Config `config:%q`", field, name, field, name, name)
	line := fmt.Sprintf("{%q, false, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) { return %s.Open(ctx, o.%s, env) }},", name, name, field)
	return &thing{
		files: map[string]string{
			dir + name + ".go": "sink.go.tmpl", dir + name + "_test.go": "sink_test.go.tmpl", dir + "README.md": "sink.md.tmpl",
			"scripts/changelog/unreleased/sink-" + name + ".md": "changelog.md.tmpl",
		},
		data: map[string]string{"Name": name, "What": "the sink " + name},
		list: "pump/catalog/catalog.go",
		hint: line + " and in Options " + options,
		enter: func(text string) (string, error) {
			for _, l := range []struct{ mark, line string }{{"// options end", options}, {"// sinks end", line}} {
				at := strings.Index(text, l.mark)
				if at < 0 {
					return "", fmt.Errorf("it has no line %q", l.mark)
				}
				text = text[:at] + l.line + "\n" + text[at:]
			}
			return withImport(text, prefix+"pump/sink/"+name)
		},
		next: []string{"say what it does in its test, which fails until then", "make generate"},
	}, nil
}

func newPage(_ string, args []string) (*thing, error) {
	if len(args) != 1 || !pageName.MatchString(args[0]) {
		return nil, errors.New("page NAME: a name such as Reports")
	}
	name := args[0]
	area := strings.ToLower(name)
	dir := "web/src/pages/" + area + "/"
	line := fmt.Sprintf("{ path: '/%s', title: '%s.title', load: () => import('./pages/%s/%s') },", area, area, area, name)
	return &thing{
		files: map[string]string{
			dir + name + ".tsx": "page.tsx.tmpl", dir + name + ".test.tsx": "page.test.tsx.tmpl",
			"web/src/i18n/en/" + area + ".ts": "page.en.ts.tmpl", "web/src/i18n/ko/" + area + ".ts": "page.ko.ts.tmpl",
			"scripts/changelog/unreleased/page-" + area + ".md": "changelog.md.tmpl",
		},
		data: map[string]string{"Name": name, "Area": area, "What": "the page " + name},
		list: "web/src/routes.tsx",
		hint: line,
		enter: func(text string) (string, error) {
			at := strings.Index(text, "// routes end")
			if at < 0 {
				return "", errors.New(`it has no line "// routes end"`)
			}
			return text[:at] + line + "\n  " + text[at:], nil
		},
		next: []string{
			"add its texts to web/src/i18n/en/index.ts and ko/index.ts, and translate them", "say what it shows in its test, which fails until then",
			"give its line a permission and a place in the navigation", "one step in web/browser/steps",
		},
	}, nil
}
