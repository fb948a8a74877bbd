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
