/*
 * PostgreSQL's own lexer as an SQL function, for tests/tests/lexer.rs, which compiles and loads it.
 *
 * tokens(text) gives a line for each token: its code, where it starts and its length, in bytes; and "error" where the
 * lexer refuses the text.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "parser/scanner.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(tokens);

Datum
tokens(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MemoryContext context = CurrentMemoryContext;
	StringInfoData lines;
	core_yy_extra_type extra;
	core_yyscan_t scanner;

	initStringInfo(&lines);
	scanner = scanner_init(source, &extra, &ScanKeywords, ScanKeywordTokens);
	PG_TRY();
	{
		core_YYSTYPE value;
		YYLTYPE		start;
		int			code;

		/* Flex ends each token by a zero byte where it stands, while it is the present one, as PL/pgSQL relies on. */
		while ((code = core_yylex(&value, &start, scanner)) != 0)
			appendStringInfo(&lines, "%d %d %zu\n", code, start, strlen(extra.scanbuf + start));
	}
	PG_CATCH();
	{
		/* The lexer takes hold of nothing but memory. */
		MemoryContextSwitchTo(context);
		FlushErrorState();
		appendStringInfoString(&lines, "error\n");
	}
	PG_END_TRY();
	PG_RETURN_TEXT_P(cstring_to_text(lines.data));
}
