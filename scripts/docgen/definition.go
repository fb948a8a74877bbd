package main

// definitionSchema makes pkg/apidef/schema.json, the schema of a whole definition. Options of filters
// stand in it as free objects; the catalog has their schemas.
func definitionSchema(s *source) ([]output, error) {
	sch, err := schemaOf(s, "pkg/apidef", "Definition")
	if err != nil {
		return nil, err
	}
	sch.Schema = "https://json-schema.org/draft/2020-12/schema"
	sch.Title = "Sluice API definition"
	text, err := pretty(sch)
	return []output{{"pkg/apidef/schema.json", text}}, err
}

// materialSchemas makes pkg/apidef/material/schema.json, the schemas of certificates, secrets and OpenAPI
// documents by their kinds. What reads several forms has no type there.
func materialSchemas(s *source) ([]output, error) {
	var kinds properties
	for _, k := range []struct{ kind, name string }{{"certificate", "Certificate"}, {"secret", "Secret"}, {"document", "Document"}} {
		sch, err := schemaOf(s, "pkg/apidef/material", k.name)
		if err != nil {
			return nil, err
		}
		sch.Schema = "https://json-schema.org/draft/2020-12/schema"
		sch.Title = "Sluice " + k.kind
		kinds = append(kinds, property{k.kind, sch})
	}
	text, err := pretty(kinds)
	return []output{{"pkg/apidef/material/schema.json", text}}, err
}
