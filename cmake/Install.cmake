# What `cmake --install` puts where. The tree may be moved: everything of ours is
# found from where the file that wants it lies. A wheel is such a tree, too.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(TSGU_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tsgu)

function(tsgu_install component target)
  if(NOT TARGET ${target})
    return()
  endif()
  get_target_property(type ${target} TYPE)
  set(rpath $ORIGIN)
  if(type STREQUAL EXECUTABLE)
    file(RELATIVE_PATH up /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set(rpath $ORIGIN/${up})
  endif()
  if(TSGU_BUILD_COMPILER AND NOT TSGU_STATIC_LLVM)
    get_target_property(needs ${target} LINK_LIBRARIES)
    if("${needs}" MATCHES "Tsgu") # LLVM's libraries, which may lie anywhere.
      list(APPEND rpath ${LLVM_LIBRARY_DIR})
    endif()
  endif()
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${rpath}")
  install(
    TARGETS ${target} ${ARGN}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component})
endfunction()

tsgu_install(runtime tsgu EXPORT tsguTargets)
tsgu_install(runtime tsgu-emulator)
tsgu_install(compiler tsgu-compiler)
tsgu_install(compiler tsgu-check)
tsgu_install(compiler tsgu-compile EXPORT tsguTargets)
tsgu_install(tools tsgu-opt)
tsgu_install(torch tsgu_torch)
if(TARGET tsgu-signatures)
  install(FILES ${PROJECT_BINARY_DIR}/lib/programs.json
          DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
endif()
if(TSGU_BUILD_COMPILER)
  file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/Programs/*.mlir)
  install(FILES ${programs} DESTINATION ${CMAKE_INSTALL_DATADIR}/tsgu/programs
          COMPONENT compiler)
endif()

# The public headers: the C API, its C++ face, and what these include.
foreach(header tsgu.h tsgu.hpp outputs.h solvers.h Methods.def CompilerInterface.h Error.h)
  install(FILES ${PROJECT_SOURCE_DIR}/runtime/include/tsgu/${header}
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tsgu COMPONENT development)
endforeach()

install(TARGETS tsgu-interface EXPORT tsguTargets)
install(EXPORT tsguTargets NAMESPACE tsgu:: DESTINATION ${TSGU_CMAKE_DIR}
        COMPONENT development)
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/tsguConfig.cmake.in
  ${PROJECT_BINARY_DIR}/tsguConfig.cmake INSTALL_DESTINATION ${TSGU_CMAKE_DIR})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/tsguConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH TSGU_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/tsgu.pc.in
               ${PROJECT_BINARY_DIR}/tsgu.pc @ONLY)
install(
  FILES ${PROJECT_BINARY_DIR}/tsguConfig.cmake
        ${PROJECT_BINARY_DIR}/tsguConfigVersion.cmake
        ${CMAKE_CURRENT_LIST_DIR}/tsguAddProgram.cmake
  DESTINATION ${TSGU_CMAKE_DIR} COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/tsgu.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
