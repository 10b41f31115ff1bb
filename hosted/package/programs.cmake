# SPDX-License-Identifier: MIT
#
# Programs, and what goes with them. Included by package.cmake. What the tree
# does not have is left out.

package_program(broker hosted_bennu-broker bin bennu-broker.8
	bennu-broker-policy.5)
if(TARGET hosted_bennu-broker)
	list(APPEND package_components broker)
	install(FILES ${CMAKE_SOURCE_DIR}/hosted/broker/bennu-broker.service
		DESTINATION lib/systemd/system COMPONENT broker)
	install(FILES ${PACKAGE_DIR}/broker/broker.toml
		DESTINATION /etc/bennu COMPONENT broker)
endif()

foreach(program IN ITEMS hosted_bennu-top hosted_demo-producer-consumer
    hosted_demo-distributed-compute tool_capnpc-bennu)
	if(TARGET ${program})
		get_target_property(name ${program} OUTPUT_NAME)
		package_program(tools ${program} bin ${name}.1)
		list(APPEND package_components tools)
	endif()
endforeach()

# Apart: it needs the libraries of those that it is compared with.
package_program(benchmark hosted_benchmark-ipc bin benchmark-ipc.1)
if(TARGET hosted_benchmark-ipc)
	list(APPEND package_components benchmark)
endif()

install(FILES ${CMAKE_SOURCE_DIR}/hosted/python/bennu_ipc.py
	DESTINATION lib/python3/dist-packages COMPONENT python)
list(APPEND package_components python)
list(REMOVE_DUPLICATES package_components)
