package sqlite

import (
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

const (
	columns  = "n, id, node, grp, org, api, key, status, total, method, host, path, route, client, target, refusal, request, finder, rest"
	nColumns = 19
)

// placeBits are the bits of a row's number below its microsecond.
const placeBits = 26

// first is the lowest number of a microsecond since 1970 within its day.
func first(d archive.Day, micros int64) int64 { return (micros - d.Start().UnixMicro()) << placeBits }

// place is the number that a record has unless another one took it.
func place(d archive.Day, at time.Time, id string) int64 {
	return first(d, at.UnixMicro()) | int64(hash(id)>>(64-placeBits))
}

// at is the inverse of place.
func at(d archive.Day, n int64) time.Time {
	return time.UnixMicro(d.Start().UnixMicro() + n>>placeBits).UTC()
}

// hash is FNV-1a with its bits mixed once more, the same in all releases.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// drawer is the span of the day's parts that the index of request ids has.
const drawer = 10 * time.Minute

// finder is the number under which a request's id is found in a part of the day; 0
// for none.
func finder(part int64, request string) int64 {
	if request == "" {
		return 0
	}
	return (part+1)<<48 | int64(hash(request)>>16)
}

func partOf(d archive.Day, micros int64) int64 {
	return (micros - d.Start().UnixMicro()) / drawer.Microseconds()
}

// values appends a record's row.
func values(row []any, d archive.Day, e *record.Entry) []any {
	rest := e.Record
	rest.At = time.Time{}
	rest.Org, rest.API, rest.Key, rest.Status, rest.Total, rest.Method, rest.Host = "", "", "", 0, 0, "", ""
	rest.Path, rest.Route, rest.Client, rest.Target, rest.Refusal, rest.RequestID = "", "", "", "", "", ""
	blob := rest.Append(make([]byte, 0, 192))
	return append(row, place(d, e.At, e.ID), e.ID, e.Node, e.Group, e.Org, e.API, e.Key,
		max(int64(e.Status), 0), max(e.Total.Microseconds(), 0), e.Method, e.Host, e.Path, e.Route, e.Client, e.Target,
		e.Refusal, e.RequestID, finder(partOf(d, e.At.UnixMicro()), e.RequestID), blob)
}

// scan reads a row of columns.
func scan(d archive.Day, scan func(...any) error) (e record.Entry, err error) {
	var n, status, total, finder int64
	var f record.Record
	var rest []byte
	err = scan(&n, &e.ID, &e.Node, &e.Group, &f.Org, &f.API, &f.Key, &status, &total, &f.Method, &f.Host, &f.Path, &f.Route,
		&f.Client, &f.Target, &f.Refusal, &f.RequestID, &finder, &rest)
	if err != nil {
		return e, err
	}
	if err := e.Decode(rest); err != nil {
		return e, err
	}
	e.At, e.Status, e.Total = at(d, n), int(status), time.Duration(total)*time.Microsecond
	e.Org, e.API, e.Key, e.Method, e.Host, e.Path = f.Org, f.API, f.Key, f.Method, f.Host, f.Path
	e.Route, e.Client, e.Target, e.Refusal, e.RequestID = f.Route, f.Client, f.Target, f.Refusal, f.RequestID
	return e, nil
}

// insertSQL is the statement for some rows at once.
func insertSQL(rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", nColumns), ",") + ")"
	return "INSERT INTO records (" + columns + ") VALUES " + strings.TrimSuffix(strings.Repeat(one+",", rows), ",") + " ON CONFLICT DO NOTHING"
}
