package main

// The tables of the dependency rule. Folders are below the root; a folder stands for itself and all
// folders below it.

// language lists the language packages from left to right: each may import those right of it (R2).
func language() []string {
	return []string{"notice", "event", "apidef", "access", "rollup", "record", "jsonschema", "pathtemplate", "strictjson", "fault"}
}

// base packages import the standard library, the language and one another.
func base() []string { return []string{"trust", "clock", "logs", "buildinfo"} }

// wires import the language, the base, config, and the libraries named here; never one another (R3).
func wires() map[string][]string {
	redis, compress := "github.com/redis/go-redis/", "github.com/klauspost/compress/"
	return map[string][]string{
		"publish": {redis, compress}, "bus": {redis}, "spool": {redis, compress}, "keyring": {redis}, "fleet": {redis}, "lease": {redis},
		"archive":  {"go.mongodb.org/mongo-driver/", "modernc.org/sqlite", compress},
		"redisdb":  {redis},
		"mongodb":  {"go.mongodb.org/mongo-driver/"},
		"sqlitedb": {"modernc.org/sqlite"},
		"config": {
			"github.com/spf13/", "github.com/go-viper/", "go.yaml.in/yaml/", "gopkg.in/yaml.v3",
		},
		"httpd":     {"github.com/go-chi/chi/"},
		"run":       {},
		"telemetry": {"github.com/prometheus/", "go.opentelemetry.io/"},
	}
}

// languageLibraries are the third-party libraries of language packages (R2).
func languageLibraries() map[string][]string {
	return map[string][]string{"pkg/apidef/oas": {"github.com/pb33f/", "github.com/getkin/kin-openapi/", "go.yaml.in/yaml/", "gopkg.in/yaml.v3"}}
}

// gatewayFloors are the floors of the gateway from the roof down: a package may import what stands on
// lower floors. The engines beside the floors implement what filters and route declare, and app alone
// knows both sides.
func gatewayFloors() [][]string {
	return [][]string{
		{"admin", "node", "listen"},
		{"serve"},
		{"route", "upstream", "meter", "certs"},
		{"chain", "http1", "http2"},
		{"filter"},
		{"explain", "message"},
	}
}

func gatewayEngines() []string {
	return []string{"session", "limit", "cache", "oauth", "events", "plugin", "source"}
}

// engineMayImport are the rooms whose interfaces and types the engines implement.
func engineMayImport() []string { return []string{"filter", "route", "message", "explain"} }

// filterLibraries: the one library that a filter exists for (R5).
func filterLibraries() map[string][]string {
	return map[string][]string{
		"auth/jwt":  {"github.com/golang-jwt/jwt/"},
		"identity":  {"github.com/golang-jwt/jwt/"},
		"authorize": {"github.com/google/cel-go/"},
		"body":      {"github.com/itchyny/gojq"},
		"waf":       {"github.com/corazawaf/"},
	}
}

// quarantine says where alone a library may be imported outside of tests (R7). app and testenv wire
// things together and may name the types of what they wire.
func quarantine() map[string][]string {
	wiring := []string{"gateway/app", "dashboard/app", "pump/app", "pkg/testenv"}
	with := func(dirs ...string) []string { return append(dirs, wiring...) }
	return map[string][]string{
		"go.mongodb.org/mongo-driver/": with("pkg/mongodb", "pkg/archive", "dashboard/mongo"),
		"modernc.org/sqlite":           {"pkg/sqlitedb", "pkg/archive", "dashboard/sqlite"},
		"github.com/redis/go-redis/": with("pkg/redisdb", "pkg/publish", "pkg/bus", "pkg/spool", "pkg/keyring", "pkg/fleet", "pkg/lease",
			"gateway/limit", "gateway/oauth", "gateway/cache"),
		"github.com/alicebob/miniredis/": {"pkg/testenv", "deploy/quickstart"},
		"github.com/jackc/pgx/":          {"pump/sink/postgres"},
		"github.com/twmb/franz-go":       {"pump/sink/kafka"},
		"github.com/ClickHouse/":         {"pump/sink/clickhouse"},
		"github.com/aws/":                {"pump/sink/s3"},
		"github.com/minio/":              {"pump/sink/s3"},
	}
}

// openers are constructors with side effects: only app, programs and tests call them (R4), and the
// adapters named here, which are openers themselves.
func openers() map[string]string {
	return map[string]string{"pkg/redisdb": "Open", "pkg/mongodb": "Open", "pkg/sqlitedb": "Open", "dashboard/mongo": "Open", "dashboard/sqlite": "Open"}
}

func openersWithin() []string {
	return []string{"dashboard/mongo", "dashboard/sqlite", "pkg/archive", "pump/sink/mongo"}
}

// adapters implement interfaces of their service and are known to app alone (R6).
func adapters() []string { return []string{"dashboard/mongo", "dashboard/sqlite"} }

// roofs face the outside: what stands below them must not know them (R6).
func roofs() map[string][]string {
	return map[string][]string{
		"dashboard": {"dashboard/exchange", "dashboard/httpapi", "dashboard/live", "dashboard/spa"},
		"pump":      {"pump/pipeline"},
	}
}
