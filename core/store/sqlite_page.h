// Pages of a list: tokens, sizes and the query.
//
// A token is the key (create_time, id) of the last record given, with the name of the list, in hexadecimal: opaque to
// clients, and stable while records come and go. Thread safety: pure functions, but for the database they are given.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/base/status.h"
#include "core/store/metadata_store.h"
#include "core/store/sqlite_database.h"

namespace modelpatch::store {

struct PageCursor {
  int64_t create_time;
  std::string id;
  int64_t limit;  // records in a page
};

// Where a page starts. `list` names the list and its filter: a token of another list is refused.
absl::StatusOr<PageCursor> ParsePageRequest(const PageRequest& request, const std::string& list);

std::string MakePageToken(const std::string& list, base::WallTime create_time, const std::string& id);

// Runs `sql`, which selects `WHERE (create_time, id) > (?1, ?2) … ORDER BY create_time, id LIMIT ?3` with `filter` as
// ?4, and reads rows with `read(statement) -> StatusOr<Record>`.
template <typename Record, typename Read>
absl::StatusOr<Page<Record>> SelectPage(SqliteDatabase& database, const PageRequest& request, const std::string& list,
                                        const std::string& sql, const std::string& filter, Read read) {
  MP_ASSIGN_OR_RETURN(const PageCursor cursor, ParsePageRequest(request, list + "/" + filter));
  MP_ASSIGN_OR_RETURN(SqliteStatement statement, database.Prepare(sql));
  // One more than asked for: whether there is a next page.
  statement.Bind(cursor.create_time, cursor.id, cursor.limit + 1, filter);
  Page<Record> page;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return page;
    if (static_cast<int64_t>(page.records.size()) == cursor.limit) break;
    MP_ASSIGN_OR_RETURN(Record record, read(statement));
    page.records.push_back(std::move(record));
  }
  page.next_page_token = MakePageToken(list + "/" + filter, page.records.back().create_time, page.records.back().id);
  return page;
}

}  // namespace modelpatch::store
