package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// under says whether dir is one of the folders or lies below one.
func under(dir string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return dir == f || strings.HasPrefix(dir, f+"/") })
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) || s == strings.TrimSuffix(p, "/") })
}

// checkImports applies the dependency rule to every import of a package.
func checkImports(t *tree, p *pkg) (out []finding) {
	for _, f := range p.Files {
		for _, spec := range f.AST.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue
			}
			ours, own := strings.CutPrefix(name, t.prefix)
			var rule, text string
			switch {
			case own:
				rule, text = refuseOwn(p, f, ours)
			case !f.Test && !p.testing() && strings.Contains(strings.SplitN(name, "/", 2)[0], "."):
				rule, text = refuseThirdParty(p, name)
			}
			if rule != "" {
				out = append(out, finding{Rule: rule, File: f.Path, Line: f.line(spec.Pos()), Name: name, Text: text})
			}
		}
	}
	return out
}

// refuseOwn judges the import of one of our packages.
func refuseOwn(p *pkg, f *file, to string) (rule, text string) {
	from := p.Dir
	if !mayCross(from, to) {
		return "R1", fmt.Sprintf("%s must not import %s: services meet in pkg or over HTTP", from, to)
	}
	if servesTests(to) && !f.Test && !p.testing() {
		return "R8", to + " serves tests and is imported by tests only"
	}
	if f.Test || p.testing() {
		return "", "" // the layers below are about shipped code
	}
	if service, rest, _ := strings.Cut(to, "/"); under(rest, "app") && !under(from, service+"/cmd") && !under(from, to) {
		return "R4", to + " is imported by cmd only"
	}
	switch module, room, _ := strings.Cut(from, "/"); module {
	case "pkg":
		return refuseInPkg(room, strings.TrimPrefix(to, "pkg/"))
	case "gateway":
		return refuseInGateway(room, to)
	case "dashboard", "pump":
		return refuseInService(module, from, to)
	}
	return "", ""
}

// mayCross is R1: which modules may know which.
func mayCross(from, to string) bool {
	a, _, _ := strings.Cut(from, "/")
	b, _, _ := strings.Cut(to, "/")
	switch {
	case a == b:
		return a != "deploy" || under(to, "deploy/e2e") == under(from, "deploy/e2e")
	case b == "pkg":
		return true
	case b == "web":
		return a == "dashboard"
	}
	return false
}

func refuseInPkg(from, to string) (rule, text string) {
	room, _, _ := strings.Cut(from, "/")
	target, _, _ := strings.Cut(to, "/")
	if room == target {
		return "", ""
	}
	words := language()
	toWord := slices.Index(words, target)
	if at := slices.Index(words, room); at >= 0 {
		if toWord <= at {
			return "R2", fmt.Sprintf("pkg/%s must not import pkg/%s: the language imports only language packages right of it (%s)", from, to, strings.Join(words, " "))
		}
		return "", ""
	}
	if slices.Contains(base(), room) {
		if toWord < 0 && !slices.Contains(base(), target) {
			return "R3", fmt.Sprintf("pkg/%s must not import pkg/%s: the base imports the language and the base", from, to)
		}
		return "", ""
	}
	if _, wire := wires()[room]; wire && toWord < 0 && !slices.Contains(base(), target) && target != "config" {
		return "R3", fmt.Sprintf("pkg/%s must not import pkg/%s: a wire imports the language, the base and config, never another wire", from, to)
	}
	return "", ""
}

func refuseInGateway(from, to string) (rule, text string) {
	room, _, _ := strings.Cut(from, "/")
	if room == "app" || room == "cmd" {
		return "", ""
	}
	target, inside := strings.CutPrefix(to, "gateway/")
	if room == "filter" {
		return refuseInFilter(from, to)
	}
	if (room == "http1" || room == "http2") && !under(to, "gateway/message", "gateway/"+room) {
		return "R5", fmt.Sprintf("gateway/%s must not import %s: the wire imports message only", from, to)
	}
	if !inside || under(target, room) {
		return "", ""
	}
	targetRoom, _, _ := strings.Cut(target, "/")
	if slices.Contains(gatewayEngines(), targetRoom) {
		return "R6", fmt.Sprintf("gateway/%s must not import %s: an engine implements what its users declare, and app alone knows both", from, to)
	}
	if slices.Contains(gatewayEngines(), room) {
		if !slices.Contains(engineMayImport(), targetRoom) {
			return "R6", fmt.Sprintf("gateway/%s must not import %s: an engine may know %s", from, to, strings.Join(engineMayImport(), ", "))
		}
		return "", ""
	}
	if mine, its := floor(room), floor(targetRoom); mine >= 0 && its >= 0 && its <= mine {
		return "R5", fmt.Sprintf("gateway/%s must not import %s: it does not stand on a lower floor", from, to)
	}
	return "", ""
}

func floor(room string) int {
	return slices.IndexFunc(gatewayFloors(), func(rooms []string) bool { return slices.Contains(rooms, room) })
}

// refuseInFilter is R5. from is below gateway/, such as filter/auth/key.
func refuseInFilter(from, to string) (rule, text string) {
	allowed := []string{"gateway/message", "gateway/explain"}
	for _, word := range language() {
		allowed = append(allowed, "pkg/"+word)
	}
	ok := under(to, allowed...) || to == "gateway/"+from
	if from != "filter" {
		ok = ok || to == "gateway/filter" || (strings.HasPrefix(from, "filter/auth/") && to == "gateway/filter/auth")
	}
	if ok {
		return "", ""
	}
	return "R5", fmt.Sprintf("gateway/%s must not import %s: a filter imports filter, message, the language and its one library; what else it needs it declares as an interface", from, to)
}

func refuseInService(service, from, to string) (rule, text string) {
	if under(from, service+"/app", service+"/cmd") {
		return "", ""
	}
	for _, a := range adapters() {
		if under(to, a) && !under(from, a) {
			return "R6", fmt.Sprintf("%s must not import %s: an implementation imports the interface's package, not the reverse", from, to)
		}
	}
	for _, roof := range roofs()[service] {
		if under(to, roof) && !under(from, roofs()[service]...) {
			return "R6", fmt.Sprintf("%s must not import %s, which stands above it", from, to)
		}
	}
	if strings.HasPrefix(from, "pump/sink/") && under(to, "pump/sink") && to != "pump/sink" && !under(to, from) {
		return "R6", fmt.Sprintf("%s must not import %s: a sink knows no other sink", from, to)
	}
	return "", ""
}

// refuseThirdParty applies R7, and the libraries that R2, R3 and R5 name. The Go project's own
// golang.org/x modules count as the standard library.
func refuseThirdParty(p *pkg, name string) (rule, text string) {
	if strings.HasPrefix(name, "golang.org/x/") {
		return "", ""
	}
	for _, library := range slices.Sorted(maps.Keys(quarantine())) {
		if hasPrefix(name, []string{library}) && !under(p.Dir, quarantine()[library]...) {
			return "R7", fmt.Sprintf("%s must not import %s: it belongs to %s", p.Dir, name, strings.Join(quarantine()[library], ", "))
		}
	}
	room, ok := strings.CutPrefix(p.Dir, "pkg/")
	if ok {
		first, _, _ := strings.Cut(room, "/")
		if libraries, wire := wires()[first]; wire && !hasPrefix(name, libraries) {
			return "R3", fmt.Sprintf("%s must not import %s: a wire has one client library", p.Dir, name)
		}
		if (slices.Contains(language(), first) || slices.Contains(base(), first)) && !hasPrefix(name, languageLibraries()[p.Dir]) {
			return "R2", fmt.Sprintf("%s must not import %s: the language and the base import the standard library", p.Dir, name)
		}
	}
	if under(p.Dir, "gateway/http1", "gateway/http2", "gateway/message") {
		return "R5", fmt.Sprintf("%s must not import %s: the wire imports the standard library and message", p.Dir, name)
	}
	if under(p.Dir, "gateway/filter") && !hasPrefix(name, filterLibraries()[strings.TrimPrefix(p.Dir, "gateway/filter/")]) {
		return "R5", fmt.Sprintf("%s must not import %s: a filter imports only the one library that it exists for", p.Dir, name)
	}
	return "", ""
}
