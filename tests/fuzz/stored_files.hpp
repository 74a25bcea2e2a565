#pragma once

#include <string_view>
#include <vector>

namespace fuzz {

/// @returns the pieces of an input: two bytes of length, the higher first, before each; the last may be shorter.
[[nodiscard]] std::vector<std::string_view> pieces_of(std::string_view bytes);

/// A search's file whose journal has these pieces as its entries.
void search_journal_from(std::string_view bytes);
/// An exported search.
void search_document_from(std::string_view text);
/// A store's file in which somebody wrote: each piece begins with the place, two bytes.
void store_file_from(std::string_view bytes);

} // namespace fuzz
