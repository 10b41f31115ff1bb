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

package_program(supervise hosted_bennu-supervise bin bennu-supervise.8
	bennu-supervise.toml.5 bennu-supervise-ctl.1)
if(TARGET hosted_bennu-supervise)
	list(APPEND package_components supervise)
	package_program(supervise hosted_supervise-ledger bin)
	install(FILES ${CMAKE_SOURCE_DIR}/hosted/supervise/bennu-supervise.service
		DESTINATION lib/systemd/system COMPONENT supervise)
	install(FILES ${CMAKE_SOURCE_DIR}/hosted/supervise/example/ledger.toml
		DESTINATION share/doc/bennu-supervise/examples
		COMPONENT supervise)
	install(DIRECTORY DESTINATION /etc/bennu/services COMPONENT supervise)
	include(${PACKAGE_DIR}/place.cmake)
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
