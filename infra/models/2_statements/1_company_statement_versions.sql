{% extends "views/statement_versions.sql" %}
{% block created %}
-- grain: company x dataset x period x version. The rows of staging.statement_versions for the companies whose
-- fundamentals are recomputed. A query of the view computes the windows of all companies first, however few it selects;
-- here the companies are selected first.
create or replace temporary table company_statement_versions as
{% endblock %}
{% block companies %}
    where symbol in (select symbol from companies where with_fundamentals)
{% endblock %}
