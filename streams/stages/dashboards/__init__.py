"""Dashboards as code: files, validation, the three-way merge, plans; and the stage that puts them into CXone."""
