# What a service author gets: find_package(homeostat), target homeostat::embed, headers under their paths of this tree.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/homeostat")
set(header_dir "${CMAKE_INSTALL_INCLUDEDIR}/homeostat")

# Everything homeostat_embed stands on; the simulator, the demos and the command line are not among it.
set(embed_targets
  homeostat_embed homeostat_embedded_pools homeostat_pools homeostat_inline homeostat_gateway homeostat_console homeostat_search homeostat_http homeostat_node homeostat_actors
  homeostat_messages homeostat_codec homeostat_protobuf homeostat_learning homeostat_model_schema homeostat_transfer_metrics homeostat_transfer homeostat_shared_memory homeostat_transfer_channels homeostat_transfer_service
  homeostat_config homeostat_store homeostat_hotpath
  homeostat_plant_cache homeostat_plant_command homeostat_plant_pgbouncer homeostat_policies homeostat_flags)
target_include_directories(homeostat_flags INTERFACE "$<INSTALL_INTERFACE:${header_dir}>")
set_target_properties(homeostat_embed PROPERTIES EXPORT_NAME embed)
install(TARGETS ${embed_targets} EXPORT homeostat ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}/homeostat")
install(EXPORT homeostat NAMESPACE homeostat:: DESTINATION "${package_dir}" FILE homeostat-targets.cmake)
install(TARGETS homeostat homeostatd RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(DIRECTORY policies messages actors runtime DESTINATION "${header_dir}" FILES_MATCHING PATTERN "*.hpp"
  PATTERN "demo" EXCLUDE PATTERN "cli" EXCLUDE)
install(DIRECTORY "${CMAKE_BINARY_DIR}/generated/messages" DESTINATION "${header_dir}" FILES_MATCHING PATTERN "*.h")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/homeostat-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES cmake/homeostat-config.cmake cmake/FindCAF.cmake cmake/FindXGBoost.cmake "${CMAKE_BINARY_DIR}/homeostat-config-version.cmake"
  DESTINATION "${package_dir}")
