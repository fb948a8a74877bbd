module github.com/sluice-gateway/sluice/scripts

go 1.26
